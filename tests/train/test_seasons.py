"""Training of water classes: simulated and real labels, the loss, and calibration."""

from __future__ import annotations

import csv
import itertools
from dataclasses import replace
from fnmatch import fnmatch
from pathlib import Path

import numpy as np
import pytest
import torch

from xinpaint.core import masks
from xinpaint.errors import DataError, RecipeError, WeightsError
from xinpaint.io import weights
from xinpaint.io.weights import card, classifier, filler
from xinpaint.train import loop, recipe, scenes, seasons
from xinpaint.train.labelled import read_years

GLOB = "train/*.tif"
SMALL = {
    "name": "tiny-water",
    "net": "unet3d",
    "numbers": {"widths": [8, 8, 8]},
    "masks": ("masks/*.npz",),
    "shores": ("water/*.tif",),
    "reflectance": {GLOB: [[1e-4] * 3, [0.0] * 3]},
    "validation": ("held",),
    "class_weights": (1.0, 2.0, 1.0),
    "patch": 72,
    "batch": 2,
    "steps": 8,
    "warmup": 2,
    "save_every": 2,
    "validate_every": 8,
    "licence": "none",
    "reference": "none",
}
BANDS = ("blue", "red", "nir", "swir1")


def write(path, values, nodata=None, bands=None):
    import rasterio

    path.parent.mkdir(exist_ok=True)
    options = {"driver": "GTiff", "height": values.shape[1], "width": values.shape[2]}
    options |= {"count": len(values), "dtype": values.dtype, "nodata": nodata, "crs": "EPSG:32754"}
    with rasterio.open(
        path, "w", **options, transform=rasterio.Affine(30, 0, 6e5, 0, -30, 6e6)
    ) as out:
        out.write(values)
        for k, name in enumerate(bands or ()):
            out.set_band_description(k + 1, name)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    mean = np.array([500, 900, 2500, 2000])[:, None, None]
    for name in ("a", "b", "held"):
        image = (mean * rng.uniform(0.7, 1.3, (4, 96, 96))).astype(np.int16)
        write(place / "train" / f"{name}.tif", image, -999, BANDS)
    y, x = np.mgrid[:200, :400]
    lakes = ((y % 60 - 30) ** 2 + (x % 50 - 25) ** 2 < 300).astype(np.uint8)
    write(place / "water" / "lakes.tif", lakes[None])
    bank = np.stack([masks.scan_lines((128, 128), seed=k, position=0.6) for k in range(3)])
    (place / "masks").mkdir()
    np.savez(place / "masks" / "bank.npz", mask=np.packbits(bank, axis=-1))
    for name, year in (("lake", 2003), ("held", 2004)):
        codes = np.ones((1, 96, 96), np.uint8)
        codes[:, :, 30:60], codes[:, :, 60:], codes[:, 90:] = 2, 3, 0
        write(place / "labels" / f"{name}_{year}.tif", codes)
        for month in (1, 2, 3, 3, 7):
            image = np.broadcast_to(mean, (4, 96, 96)).astype(np.int16).copy()
            image[1:, :, 60:] = np.array([400, 200, 100])[:, None, None]
            day = 10 + int(rng.integers(15))
            write(place / "dates" / f"{name}_{year}{month:02d}{day}.tif", image, -999, BANDS)
    return place


@pytest.fixture
def plan():
    return recipe.Recipe(**SMALL)


REAL = {
    "shores": (),
    "labels": ("labels/*.tif",),
    "reflectance": {"dates/*.tif": [[1e-4] * 3, [0.0] * 3]},
}


@pytest.mark.parametrize("more", [{}, REAL], ids=["simulated", "real"])
def test_training_writes_weights_that_classify(folder, plan, tmp_path, more):
    from xinpaint.core.task import Task

    path = loop.fit(replace(plan, **more), tmp_path, data=folder, progress=False)
    told = card(path)
    assert set(told["scores"]["validation"]) == {"miou", "f1", "seasonal", "ece"}
    assert told["bands"].startswith("red, nir, swir1")
    context = np.random.default_rng(0).random((3, 1, 30, 41)) > 0.3
    context = np.broadcast_to(context, (3, 3, 30, 41))
    task = Task(np.full(context.shape, 0.2, np.float32), context, ~context, np.arange(3.0))
    made = classifier(path, "cpu").classify(task)
    assert made.shape == (3, 30, 41)
    np.testing.assert_allclose(made.sum(0), 1, atol=1e-5)
    with pytest.raises(WeightsError, match="fills nothing"):
        filler("convnp", weights=path)
    with open(tmp_path / "log.csv") as file:
        assert list(csv.DictReader(file))[-1]["seasonal"]


def test_weights_that_fill_tell_no_classes():
    with pytest.raises(WeightsError, match="tells no classes"):
        classifier("convcnp")


def test_interrupted_run_follows_the_unbroken_one(folder, plan, tmp_path, monkeypatch):
    whole = loop.fit(plan, tmp_path / "whole", data=folder, progress=False)
    real, calls = loop.advance, []

    def stops(*args):
        if len(calls) == 5:
            raise KeyboardInterrupt
        calls.append(1)
        return real(*args)

    monkeypatch.setattr(loop, "advance", stops)
    with pytest.raises(KeyboardInterrupt):
        loop.fit(plan, tmp_path / "cut", data=folder, progress=False)
    monkeypatch.setattr(loop, "advance", real)
    resumed = loop.fit(plan, tmp_path / "cut", data=folder, progress=False)
    assert resumed.read_bytes() == whole.read_bytes()


def test_no_scene_and_no_lake_trains_and_tests(folder, plan, monkeypatch):
    made = []
    real = seasons.Simulator

    def spy(*args):
        made.append(args)
        return real(*args)

    monkeypatch.setattr(seasons, "Simulator", spy)
    seasons.gather(plan, folder)
    (learn, shores, _), (check, others, _) = made
    assert {s.name for s in learn} == {"a", "b"} and {s.name for s in check} == {"held"}
    assert [m.shape[1] for m in shores + others] == [252, 72]
    spans = sorted(scenes.PARTS.values())
    assert all(a[1] <= b[0] for a, b in itertools.pairwise(spans))


def test_the_same_step_gives_the_same_tasks(folder, plan):
    batch, tasks = seasons.gather(plan, folder)
    again, _ = seasons.gather(plan, folder)
    for step in (0, 7):
        one, two = batch(step), again(step)
        for part in ("images", "seen", "label"):
            np.testing.assert_array_equal(getattr(one, part), getattr(two, part))
    assert (batch(0).label != batch(1).label[: len(batch(0).label)]).any()
    assert all(task.images.shape[1] == 3 for task in tasks)


def test_filled_months_are_whole_and_close_to_the_truth(folder, plan):
    batch, _ = seasons.gather(replace(plan, batch=24), folder)
    made = batch(0)
    whole = made.seen.all((1, 2, 3))
    assert 2 <= whole.sum() <= 16
    assert np.isfinite(made.images).all()
    assert np.abs(made.images[whole]).max() < 2


def test_unlabelled_pixels_count_nothing():
    logits = torch.randn(2, 3, 8, 8, requires_grad=True)
    truth = torch.randint(0, 3, (2, 8, 8))
    target = torch.rand(2, 8, 8) > 0.5
    loss = seasons.masked_cross_entropy(logits, truth, target, (1.0, 2.0, 1.0))
    other = torch.where(target, truth, torch.tensor(255))
    assert seasons.masked_cross_entropy(logits, other, target, (1.0, 2.0, 1.0)) == loss
    loss.backward()
    assert (logits.grad[(~target)[:, None].expand_as(logits)] == 0).all()
    wanted = torch.nn.functional.cross_entropy(
        logits.movedim(1, -1)[target], truth[target], torch.tensor([1.0, 2.0, 1.0])
    )
    torch.testing.assert_close(loss, wanted)
    nothing = seasons.masked_cross_entropy(logits, truth, torch.zeros_like(target), (1.0, 1.0, 1.0))
    assert nothing == 0


def test_calibration_takes_back_weights_and_sharpness():
    """Logits that are thrice too sharp and shifted come out as the probabilities they were."""
    rng = np.random.default_rng(0)
    true = rng.normal(size=(1, 3, 120, 120)).astype(np.float32)
    p = np.exp(true) / np.exp(true).sum(1, keepdims=True)
    label = (rng.random((1, 120, 120)) > np.cumsum(p, 1)[:, :3].swapaxes(0, 1)).sum(0)

    class Told(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("temperature", torch.ones(()))
            self.register_buffer("shift", torch.zeros(3))

        def forward(self, values, context):
            sharp = 3 * torch.from_numpy(true) + torch.tensor([0.0, 2.0, 0.0])[:, None, None]
            return sharp / self.temperature + self.shift[:, None, None]

    blank = np.zeros((1, 3, 3, 120, 120), np.float32)
    task = seasons.Batch(blank, np.ones((1, 3, 120, 120), bool), label.astype(np.uint8))
    net = Told()
    assert seasons.validate(net, [task]).ece > 0.1
    assert seasons.calibrate(net, [task]) == pytest.approx(3, rel=0.1)
    assert seasons.validate(net, [task]).ece < 0.015
    assert seasons.calibrate(net, [task]) == pytest.approx(1, abs=0.02)
    assert seasons.validate(net, [task]).ece < 0.015


def test_real_labels_meet_their_images(folder):
    years = read_years(folder, ("labels/*.tif",), REAL["reflectance"])
    assert [y.name for y in years] == ["held_2004", "lake_2003"]
    year = years[1]
    assert year.seen.any((1, 2)).tolist() == [m in (0, 1, 2, 6) for m in range(12)]
    assert np.unique(year.label[:90, :30]) == [0] and np.unique(year.label[:90, 60:]) == [2]
    assert (year.label[90:] == 255).all()
    np.testing.assert_allclose(year.images[2, :, 0, 70], [0.04, 0.02, 0.01], rtol=1e-3)


def test_bad_recipes_and_data(folder, plan, tmp_path):
    with pytest.raises(RecipeError, match="class_weights"):
        replace(plan, class_weights=(1.0, 2.0))
    with pytest.raises(RecipeError, match="0 validation scenes"):
        seasons.gather(replace(plan, validation=("nobody",)), folder)
    with pytest.raises(DataError, match="matches 'none"):
        seasons.gather(replace(plan, reflectance={"none/*.tif": [[1] * 3, [0] * 3]}), folder)
    with pytest.raises(DataError, match="three factors"):
        scenes.read_bands(folder / "train" / "a.tif", [[1e-4], [0]])
    with pytest.raises(DataError, match=r"missing \['red', 'nir', 'swir1'\]"):
        scenes.read_bands(folder / "water" / "lakes.tif", [[1] * 3, [0] * 3])
    with pytest.raises(DataError, match="has no images"):
        read_years(folder, ("labels/*.tif",), {"train/*.tif": [[1] * 3, [0] * 3]})
    path = tmp_path / "r.toml"
    path.write_text('name = "x"\nshores = "a"\n')
    with pytest.raises(RecipeError, match=r"missing keys \['masks', 'reflectance', 'validation'\]"):
        recipe.read(path)


def test_the_shipped_recipe_learns_from_no_scene_that_tests_it():
    from benchmarks.water.cases import BANK, SCENES

    plan = recipe.read(Path(loop.__file__).parent.parent / "recipes" / "water.toml")
    assert plan.of_water and plan.name == weights.WATER
    for glob in plan.reflectance:
        assert glob.startswith("train/")
        assert not [scene for scene in SCENES if fnmatch(scene, glob)]
    assert BANK not in plan.masks
