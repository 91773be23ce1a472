"""Gaps cut from real scenes, kept in a bank, drawn by recipes; jitter; patches of other sizes."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import xinpaint
from xinpaint.core import masks
from xinpaint.errors import DataError, RecipeError, SchemaError
from xinpaint.train import data, evaluate
from xinpaint.train.recipe import Recipe, read

BANK = np.stack([masks.scan_lines((128, 128), seed=k, position=0.6) for k in range(3)])


def scene(side: int = 320) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Stripes, a cloud in the lower right, and both together."""
    stripes = masks.scan_lines((side, side), seed=1, position=0.7)
    cloud = np.zeros_like(stripes)
    cloud[200:, 200:] = True
    return stripes, cloud, stripes | cloud


def test_windows_hold_stripes_and_no_cloud() -> None:
    stripes, _, missing = scene()
    found = xinpaint.masks.from_scene(missing, side=128, stride=64)
    assert found.dtype == bool and found.shape[1:] == (128, 128)
    assert 4 <= len(found) < 16  # of the 16 places those that the cloud covers are left out
    first = found[0]
    same = (first == stripes[:128, :128]).mean()
    assert same > 0.97, f"only {same:.0%} of the first window is as the stripes are"


def test_a_cube_an_array_and_booleans_give_the_same_windows() -> None:
    _, _, missing = scene()
    values = np.where(missing, 0, 7).astype(np.uint8)
    mask = xr.DataArray(missing[None], dims=("time", "y", "x"))
    array = xr.DataArray(values[None], dims=("time", "y", "x"), attrs={"nodata": 0}, name="red")
    cube = array.to_dataset().assign(nir=xr.ones_like(array).assign_attrs(nodata=0))
    want = xinpaint.masks.from_scene(missing, side=128)
    for given in (mask, array, cube, cube.chunk(y=64)):
        np.testing.assert_array_equal(xinpaint.masks.from_scene(given, side=128), want)
    flat = cube.isel(time=0, drop=True).assign_coords(y=-15.0 * np.arange(320))
    assert len(xinpaint.masks.from_scene(flat, side=128))  # of 15 m: gaps may be twice as high
    coarse = xinpaint.masks.from_scene(flat, side=128, resolution=30.0)
    np.testing.assert_array_equal(coarse, want)


def test_scenes_without_gaps_are_named() -> None:
    with pytest.raises(DataError, match="found no window of 128 x 128 pixels with SLC gaps"):
        xinpaint.masks.from_scene(np.zeros((200, 200), bool), side=128)
    with pytest.raises(SchemaError, match="the scene is 100 x 200 pixels; wanted 128 x 128"):
        xinpaint.masks.from_scene(np.zeros((100, 200), bool), side=128)
    with pytest.raises(SchemaError, match="wanted booleans"):
        xinpaint.masks.from_scene(np.zeros((200, 200)), side=128)
    with pytest.raises(SchemaError, match="multiple of 8"):
        xinpaint.masks.from_scene(np.zeros((200, 200), bool), side=100)


def test_real_scenes_make_a_bank_like_the_one_at_hand(data_dir, tmp_path) -> None:
    import rasterio

    with rasterio.open(data_dir / "slc_off" / "etm_menindee_australia_20100116.tif") as source:
        missing = (source.read(window=((0, 600), (900, 1700))) == source.nodata).any(0)
    found = xinpaint.masks.from_scene(missing, resolution=25.0, stride=128)
    assert len(found) > 3
    known = xinpaint.masks.load_bank(data_dir / "masks" / "slc_gaps_menindee_256.npz")
    assert abs(found.mean() - np.median(known.mean((1, 2)))) < 0.1
    laid = masks.transplant(found, (300, 200), seed=0)
    assert 0.02 < laid.mean() < 0.65


def test_a_bank_comes_back_as_it_was_saved(tmp_path) -> None:
    path = xinpaint.masks.save_bank(tmp_path / "deep" / "own.npz", BANK, name="here")
    np.testing.assert_array_equal(xinpaint.masks.load_bank(path), BANK)
    np.testing.assert_array_equal(data.read_masks(tmp_path, ("deep/*.npz",)), BANK)
    assert path.stat().st_size < BANK.size / 8
    assert [p.name for p in path.parent.iterdir()] == ["own.npz"]


def test_bad_banks_are_named(tmp_path) -> None:
    with pytest.raises(DataError, match=r"does not end in \.npz"):
        xinpaint.masks.save_bank(tmp_path / "own.npy", BANK)
    with pytest.raises(DataError, match="multiple of 8"):
        xinpaint.masks.save_bank(tmp_path / "own.npz", BANK[..., :100])
    with pytest.raises(DataError, match="no bank of gaps at"):
        xinpaint.masks.load_bank(tmp_path / "none.npz")
    path = tmp_path / "torn.npz"
    xinpaint.masks.save_bank(path, BANK)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(DataError, match="is no bank of gaps"):
        xinpaint.masks.load_bank(path)
    np.savez(tmp_path / "pickled.npz", mask=np.array([{}], dtype=object))
    with pytest.raises(DataError, match="is no bank of gaps"):
        xinpaint.masks.load_bank(tmp_path / "pickled.npz")
    np.savez(tmp_path / "floats.npz", mask=np.zeros((2, 3)))
    with pytest.raises(DataError, match="wanted packed bits"):
        xinpaint.masks.load_bank(tmp_path / "floats.npz")
    xinpaint.masks.save_bank(tmp_path / "large.npz", np.zeros((1, 256, 256), bool))
    xinpaint.masks.save_bank(tmp_path / "torn.npz", BANK)
    with pytest.raises(DataError, match="use one side"):
        data.read_masks(tmp_path, ("large.npz", "torn.npz"))


@pytest.mark.parametrize("width", [1.0, 2.0, 3.0])
def test_wider_gaps_hold_the_real_ones(width: float) -> None:
    gap = masks.scan_lines((160, 128), seed=3, position=0.4)
    wide = masks.widened(gap, width)
    assert (wide | gap).tolist() == wide.tolist()
    assert wide.mean() == pytest.approx(width * gap.mean(), rel=0.15)


def test_wider_gaps_leave_context() -> None:
    gap = masks.scan_lines((128, 128), seed=0, position=1.0)
    assert masks.widened(gap, 9.0).mean() <= 0.75
    assert not masks.widened(np.zeros((9, 9), bool), 3.0).any()
    assert masks.widened(np.ones((9, 9), bool), 3.0).all()


def test_each_kind_of_gap_is_what_it_says() -> None:
    def share(kind: str) -> float:
        rng = np.random.default_rng(0)
        gaps = data.Gaps(BANK, {kind: 1.0})
        return float(np.mean([data.random_gap(gaps, (96, 96), rng).mean() for _ in range(24)]))

    made = {kind: share(kind) for kind in data.KINDS}
    assert made["wide_real"] > 1.5 * made["real"]
    assert made["wide_lines"] > 1.2 * made["lines"]
    assert made["both"] > made["real"] + 0.1
    assert 0.1 < made["clouds"] < 0.35


def images() -> list[data.Image]:
    rng = np.random.default_rng(0)
    values = rng.normal(size=(6, 140, 150)).astype(np.float32)
    return [data.Image("a", values, np.ones(values.shape, bool))]


def test_recipes_of_before_draw_the_same_data() -> None:
    """The sum of everything drawn, as it was when the shipped weights were trained."""
    made = [data.sample(images(), BANK, patch=96, batch=12, seed=[3, k]) for k in range(8)]
    told = [round(float(np.abs(m.truth * m.context).sum()), 1) for m in made]
    assert told == DRAWN
    assert [int(m.target.sum()) for m in made] == HIDDEN


DRAWN = [58126.3, 48645.5, 55399.8, 60034.6, 59720.5, 58509.6, 71485.4, 49083.2]
HIDDEN = [30175, 41988, 27747, 34494, 36006, 27263, 23817, 37750]


def test_zoom_shows_pixels_of_other_sizes() -> None:
    def rough(zoom: float) -> list[float]:
        """How much neighbours differ, patch by patch; white noise loses it when averaged."""
        made = [
            data.sample(images(), BANK, patch=72, batch=4, seed=[5, k], zoom=zoom)
            for k in range(24)
        ]
        assert {m.truth.shape[-2:] for m in made} == {(72, 72)}
        return sorted(float(np.diff(m.truth[0, 0]).std() / m.truth[0, 0].std()) for m in made)

    plain, zoomed = rough(1.0), rough(1.9)
    assert plain[0] > 1.35
    assert zoomed[4] < 1.3
    assert zoomed[-4] > 1.35  # half of them stay as they are
    assert rough(1.9) == zoomed


def test_zoom_knows_nothing_of_what_was_not_valid() -> None:
    image = images()[0]
    valid = image.valid.copy()
    valid[:, 60:80] = False
    holed = data.Image("a", np.where(valid, image.values, 1e6).astype(np.float32), valid)
    for k in range(24):
        made = data.sample([holed], BANK, patch=72, batch=4, seed=[5, k], zoom=1.9)
        assert float(np.abs(made.truth).max()) < 100


def test_jitter_is_asked_for_and_leaves_the_masks() -> None:
    batch = data.sample(images(), BANK, patch=96, batch=12, seed=[3, 0])
    assert data.jittered(batch, 0.0, seed=[0]) is batch
    one, two = (data.jittered(batch, 0.2, seed=[3, 0, 1]) for _ in range(2))
    np.testing.assert_array_equal(one.truth, two.truth)
    np.testing.assert_array_equal(one.context, batch.context)
    moved = np.abs(one.truth - batch.truth)
    assert 0.01 < moved.mean() < 0.3
    # a band's gain and offset are its own
    ratio = one.truth.std((2, 3)) / batch.truth.std((2, 3))
    assert ratio.std() > 0.02


@pytest.mark.parametrize("patch", [40, 64, 128])
def test_small_and_large_patches_have_a_loss(patch: int) -> None:
    import torch

    from xinpaint.train.losses import ms_ssim_loss

    Recipe("x", (), patch=patch)
    truth = torch.rand(1, 2, patch, patch, generator=torch.Generator().manual_seed(0))
    target = torch.zeros_like(truth)
    target[..., 10:20, :] = 1
    assert float(ms_ssim_loss(truth, truth, 1 - target, target)) == pytest.approx(0, abs=1e-5)
    assert float(ms_ssim_loss(1 - truth, truth, 1 - target, target)) > 0.05


def test_the_loss_of_psnr_gives_every_task_the_same_say() -> None:
    import torch

    from xinpaint.train.losses import psnr_loss

    truth, target = torch.zeros(2, 1, 4, 4), torch.zeros(2, 1, 4, 4)
    target[:, :, :2] = 1
    mean = torch.full_like(truth, 0.1)
    mean[1] = 0.01
    mean[:, :, 2:] = 9.0  # no target
    mean.requires_grad_()
    loss = psnr_loss(mean, truth, target)
    assert -8.6859 * float(loss.detach()) == pytest.approx((20 + 40) / 2, abs=0.03)  # decibels
    (pull,) = torch.autograd.grad(loss, mean)
    assert float(pull[:, :, 2:].abs().max()) == 0
    # of one relative improvement, however small the error
    gains = (pull * mean.detach()).sum((1, 2, 3))
    assert float(gains[1] / gains[0]) == pytest.approx(1, abs=0.02)


def test_validation_hides_under_the_gaps_of_the_recipe(tmp_path) -> None:
    values = np.random.default_rng(0).random((2, 128, 128)).astype(np.float32)
    image = data.Image("one", values, np.ones_like(values, bool))
    tasks = evaluate.validation_tasks([image], BANK, tuple(evaluate.GAPS))
    assert [task.name for task in tasks] == [f"one {kind}" for kind in evaluate.GAPS]
    hidden = {task.name.split()[1]: float(task.target.mean()) for task in tasks}
    assert hidden["wide"] > hidden["edge"] > hidden["real"] > 0.05
    assert hidden["clouds"] == pytest.approx(0.25, abs=0.01)
    path = tmp_path / "r.toml"
    path.write_text(
        'name = "x"\nvalidation = "one"\nimages = ["a"]\nmasks = ["b"]\nvalidation_gaps = ["wide"]'
    )
    assert read(path).validation_gaps == ("wide",)


def test_recipes_name_what_is_wrong_with_them() -> None:
    for key, value, said in (
        ("patch", 32, "patch = 32"),
        ("patch", 100, "patch = 100"),
        ("gaps", {"holes": 1.0}, "wanted shares of"),
        ("gaps", {"real": 0.0}, "not all 0"),
        ("validation_gaps", ("real", "holes"), "wanted some of .*'edge'"),
        ("validation_gaps", (), r"validation_gaps = \[\]: wanted some of"),
        ("jitter", -0.1, r"jitter = -0\.1.* below 0"),
        ("patience", -1, r"patience = -1.* below 0"),
    ):
        with pytest.raises(RecipeError, match=said):
            Recipe("x", (), **{key: value})
