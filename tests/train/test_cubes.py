"""A cube of one's own as training data: blocks apart, gaps never a target, a net at the end."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import ndimage

from xinpaint.core import masks
from xinpaint.errors import DataError, RecipeError, TrainingError
from xinpaint.train import cubes, data, own, stacks
from xinpaint.train.assess import assess_cube
from xinpaint.train.loop import fit
from xinpaint.train.own import fit_cube
from xinpaint.train.recipe import Recipe

pytestmark = pytest.mark.filterwarnings("ignore:Consolidated metadata")


def cube(side: int = 240, dates: int = 3) -> xr.Dataset:
    """Integers with stripes and, in one block of one date, only gap."""
    rng = np.random.default_rng(0)
    shape = (dates, side, side)
    made = {}
    gap = np.stack([masks.scan_lines((side, side), seed=k, position=0.7) for k in range(dates)])
    gap[1, :120, :120] = True
    for name in ("red", "nir08"):
        field = ndimage.gaussian_filter(rng.normal(size=shape), (0, 3, 3))
        values = (1000 + 5000 * (field - field.min())).astype(np.int16)
        values[gap] = -9999
        made[name] = (("time", "y", "x"), values, {"_FillValue": np.int16(-9999)})
    times = pd.date_range("2005-01-04", periods=dates, freq="16D")
    return xr.Dataset(made, {"time": times, "y": -30.0 * np.arange(side), "x": np.arange(side)})


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    path = tmp_path_factory.mktemp("cubes") / "mine.zarr"
    cube().to_zarr(path, consolidated=True)
    return path


def test_blocks_do_not_overlap_and_some_are_held_out(store):
    found = list(cubes.pieces(store))
    assert [p.name for p in found] == [
        "mine_r000c000", "mine_r000c001", "mine_r001c000_held", "mine_r001c001",
    ]  # fmt: skip
    truth = cube()
    raw = truth.red.values[:, :120, 120:]
    assert found[1].values.shape == (3, 2, 120, 120)
    np.testing.assert_array_equal(found[1].valid[:, 0], raw != -9999)
    assert len(found[0].days) == 2  # the date of which nothing was seen is left out
    assert np.diff(found[1].days).tolist() == [16, 16]


def test_what_is_missing_is_neither_context_nor_target(store):
    images = cubes.read_images(store.parent, ("mine.zarr",))
    bank = cubes.read_masks(store.parent, ("mine.zarr",))
    assert bank.shape[1:] == (256, 256)
    assert 0.03 < bank.mean() < 0.6
    assert all(not i.values[~i.valid].any() for i in images)
    batch = data.sample(images, bank, patch=72, batch=8, seed=[0, 0])
    assert batch.target.any() and not (batch.target * batch.context).any()
    series = cubes.read_stacks(store.parent, ("*.zarr",))
    assert {len(s.days) for s in series} == {2, 3}
    more = stacks.sample_dates((images, series), bank, patch=72, batch=6, dates=2, seed=[0, 1])
    assert more.others is not None and np.isfinite(more.others).all()


def test_a_cube_without_gaps_gives_no_masks(tmp_path):
    whole = cube().map(np.abs, keep_attrs=True)
    whole.to_zarr(tmp_path / "whole.zarr", consolidated=True)
    with pytest.raises(DataError, match="has no gaps to learn from"):
        cubes.read_masks(tmp_path, ("whole.zarr",))


def test_fit_on_a_cube(tmp_path):
    plan = Recipe(
        "mine", (), (), (), numbers={"widths": [8, 8, 8], "shared": [0, 8, 8]}, patch=72, batch=2,
        steps=3, warmup=1, save_every=3, validate_every=3, ms_ssim=0.0,
    )  # fmt: skip
    ds = cube()
    weights = fit_cube(ds, plan, tmp_path, progress=False)
    filled = ds.isel(time=[0]).inpaint.convnp(weights=weights, context="space")
    assert (filled.red_provenance == 2).any()
    assert fit_cube(ds, plan, tmp_path, progress=False) == weights
    with pytest.raises(TrainingError, match=r"holds another cube.*give another out="):
        fit_cube(ds.isel(y=slice(None, None, -1)), plan, tmp_path, progress=False)
    with pytest.raises(RecipeError, match="wanted a Recipe"):
        fit_cube(ds, "recipe.toml", tmp_path)


@pytest.mark.parametrize(
    ("side", "patch", "told"),
    [
        (128, 96, "has 128 x 128 pixels, patch = 96 needs 192 x 192.* patch=64 would do"),
        (64, 96, "has 64 x 64 pixels, .* patch=40 and a cube of 80 x 80 or more would do"),
        (520, 264, "patch = 264 needs 264 a side in a block.* patch=256 would do"),
    ],
)
def test_a_cube_smaller_than_its_patches(tmp_path, side, patch, told):
    with pytest.raises(RecipeError, match=told):
        fit_cube(cube(side), Recipe("mine", (), (), (), patch=patch), tmp_path)
    assert not any(tmp_path.iterdir())


def test_a_recipe_that_names_too_small_a_cube(tmp_path):
    cube(128).to_zarr(tmp_path / "mine.zarr", consolidated=True)
    plan = Recipe("mine", (cubes.HELD,), ("mine.zarr",), ("mine.zarr",))
    with pytest.raises(RecipeError, match=r"0 training .* has 64 pixels a side, patch = 96 needs"):
        fit(plan, tmp_path / "run", data=tmp_path)


def test_the_patch_that_would_do_does(tmp_path):
    plan = Recipe(
        "mine", (), (), (), numbers={"widths": [8, 8, 8], "shared": [0, 8, 8]}, patch=64, batch=2,
        steps=1, warmup=1, save_every=1, validate_every=1, ms_ssim=0.0,
    )  # fmt: skip
    assert fit_cube(cube(128), plan, tmp_path, progress=False).exists()


def test_a_cube_half_written_is_written_anew(tmp_path, monkeypatch):
    ds, plan = cube(), Recipe("mine", (), (), ())
    made = []
    monkeypatch.setattr(own, "fit", lambda *args, **options: made.append(args))
    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", lambda *args: 1 / 0)  # as if stopped before the end
        with pytest.raises(ZeroDivisionError):
            fit_cube(ds, plan, tmp_path)
    assert not (tmp_path / "cube.zarr").exists()
    fit_cube(ds, plan, tmp_path)
    assert len(made) == 1
    xr.testing.assert_equal(xr.open_zarr(tmp_path / "cube.zarr", mask_and_scale=False).load(), ds)


@pytest.mark.parametrize("masks", ["clouds", ("scan_lines", "clouds")])
def test_assess_takes_one_kind_of_gap_or_several(masks):
    rows = assess_cube("ongrid", cube(), masks=masks)
    assert rows.index.tolist() == ([masks] if isinstance(masks, str) else list(masks))
