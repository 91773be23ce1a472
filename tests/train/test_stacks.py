"""Stacks of dates, the tasks cut from them, and the dates made of one image."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from xinpaint.core import masks
from xinpaint.train import loop, recipe, stacks
from xinpaint.train.data import read_images, read_masks
from xinpaint.train.pseudo import pseudo_date, spoil
from xinpaint.train.stacks import Stack, read_stacks, sample_dates

TINY = {"widths": [8, 8, 8], "shared": [0, 8, 8]}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images of one date, a stack of three dates (one cloudy), a held stack, a bank of gaps."""
    import rasterio
    from scipy import ndimage

    place = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)

    def write(path: Path, image: np.ndarray) -> None:
        path.parent.mkdir(exist_ok=True)
        options = {"driver": "GTiff", "width": 96, "height": 96, "count": len(image)}
        options["transform"] = rasterio.Affine(30, 0, 0, 0, -30, 0)
        with rasterio.open(path, "w", dtype=image.dtype, **options) as out:
            out.write(image)

    def scene(scale: float) -> np.ndarray:
        image = ndimage.gaussian_filter(rng.normal(size=(3, 96, 96)), (0, 3, 3))
        return (1000 + scale * image).astype(np.int16)

    for name in ("a", "held"):
        write(place / "train" / f"{name}.tif", scene(5000))
    for name in ("farm", "held"):
        for date in ("20010101", "20010117", "20020101"):
            write(place / "stacks" / f"{name}_{date}.tif", scene(4000))
    cloud = np.zeros((1, 96, 96), np.uint8)
    cloud[:, :20] = 4
    write(place / "stacks" / "farm_20010117_qa.tif", cloud)
    (place / "masks").mkdir()
    bank = np.stack([masks.scan_lines((128, 128), seed=k, position=0.6) for k in range(3)])
    np.savez(place / "masks" / "bank.npz", mask=np.packbits(bank, axis=-1))
    return place


def test_stacks_are_places_with_dates(folder: Path) -> None:
    farm, held = read_stacks(folder, ("stacks/*.tif",), ("farm_20020101",))
    assert (farm.name, held.name) == ("farm", "held")
    assert farm.values.shape == (3, 3, 96, 96)
    assert np.diff(farm.days).tolist() == [16.0, 349.0]
    assert not farm.valid[1, :, :20].any()
    assert farm.valid[1, :, 20:].all()
    assert farm.whole.tolist() == [True, True, False]


def test_tasks_with_dates_repeat_and_hide(folder: Path) -> None:
    images, series = (
        read_images(folder, ("train/*.tif",)),
        read_stacks(folder, ("stacks/*.tif",)),
    )
    bank = read_masks(folder, ("masks/*.npz",))
    counts, twice = set(), 0
    for step in range(20):
        one, two = (
            sample_dates((images, series), bank, patch=72, batch=12, dates=4, seed=[0, step])
            for _ in range(2)
        )
        for name in ("truth", "context", "target", "others", "others_context", "away"):
            np.testing.assert_array_equal(getattr(one, name), getattr(two, name))
        assert one.others is not None and one.others_context is not None and one.away is not None
        assert one.others.shape == (one.truth.shape[0], one.away.shape[1], *one.truth.shape[1:])
        assert np.isfinite(one.others).all()
        assert not (one.context * one.target).any()
        assert (one.away != 0).all()
        counts.add(one.away.shape[1])
        for row, days in zip(one.others, one.away, strict=True):
            for k in range(1, len(days)):
                again = np.flatnonzero(days[:k] == days[k])
                close = [np.abs(row[k] - row[j]).mean() < 0.02 for j in again]
                twice += any(close)
    assert len(counts) > 1
    assert twice > 0


def test_zoom_shows_all_dates_in_pixels_of_one_size() -> None:
    rng = np.random.default_rng(3)
    values = np.repeat(rng.normal(size=(1, 2, 120, 140)).astype(np.float32), 3, axis=0)
    valid = np.ones(values.shape, bool)
    valid[..., 50:60] = False
    days = np.array([0.0, 16.0, 32.0])
    stack = Stack("a", np.where(valid, values, 1e6), valid, days, np.ones(3, bool))
    rough = []
    for seed in range(24):
        rng = np.random.default_rng(seed)
        cube, known, _ = stacks._cut(stack, 2, 72, rng, 1.6)
        assert cube.shape == known.shape == (3, 2, 72, 72)
        np.testing.assert_array_equal(cube[1:], cube[:-1])
        np.testing.assert_array_equal(known[1:], known[:-1])
        assert np.abs(cube[known]).max() < 100
        rough.append(cube[known].std())
    assert sum(r < 0.9 for r in rough) in range(6, 19)  # about half: white noise loses by averaging


def test_a_pseudo_date_is_another_date_of_the_same_place() -> None:
    from scipy import ndimage

    rng = np.random.default_rng(5)
    image = ndimage.gaussian_filter(rng.normal(size=(4, 96, 96)), (0, 3, 3)).astype(np.float32)
    image = 0.5 + image / image.std() * 0.2
    for strength in (0.2, 1.0):
        made = pseudo_date(image, rng, strength=strength)
        assert made.shape == image.shape
        assert made.dtype == np.float32
        design = np.stack([*image.reshape(4, -1), np.ones(96 * 96)], 1)
        left = made.reshape(4, -1).T
        left = left - design @ np.linalg.lstsq(design, left, rcond=None)[0]
        explained = 1 - left.var() / made.reshape(4, -1).T.var(0).mean()
        assert explained > (0.7 if strength < 0.5 else 0.1)
    spoilt = [spoil(image, np.random.default_rng(k)) for k in range(20)]
    assert 5 < sum(not np.array_equal(image, s) for s in spoilt) < 20


def test_a_net_of_dates_trains_on_a_frozen_start(folder: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file

    common = {
        "images": ("train/*.tif",), "masks": ("masks/*.npz",), "validation": ("held",),
        "patch": 72, "batch": 3, "steps": 2, "warmup": 1, "validate_every": 2,
    }  # fmt: skip
    space = recipe.Recipe(name="space", numbers=TINY, **common)
    start = loop.fit(space, tmp_path / "space", data=folder, progress=False)
    numbers = {"spatial": TINY, "width": 8, "deep": 8, "shared": 8}
    dated = recipe.Recipe(
        name="dated", net="convnp", numbers=numbers, stacks=("stacks/*.tif",), dates=2,
        spatial=str(start), **common,
    )  # fmt: skip
    path = loop.fit(dated, tmp_path / "dated", data=folder, progress=False)
    before, after = load_file(start), load_file(path)
    assert all(bool((after[f"spatial.{name}"] == part).all()) for name, part in before.items())
    from xinpaint.io.weights import filler

    assert filler("convnp", weights=path).halo.t == 6
