"""Draws of a filled cube: coherent, the same for any chunking, and spread as the answer says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from scipy import stats

from tests.cube.fillers import WindowMean
from tests.cube.make import make
from xinpaint.core import coherent
from xinpaint.core.intervals import DEGREES, SCALE, half_width
from xinpaint.cube.draws import draws
from xinpaint.cube.inpaint import inpaint
from xinpaint.errors import MethodError

FILLER = WindowMean(5)


def drawn(ds: xr.Dataset, count: int = 3, seed: int = 0) -> xr.Dataset:
    return draws(ds, FILLER, count, name="mean", seed=seed)


@pytest.mark.parametrize("dtype", ["float32", "uint16", "int16"])
def test_draws_have_a_dimension_and_leave_what_was_observed(dtype: str) -> None:
    ds = make(2, 150, 140, dtype=dtype)
    filled = drawn(ds)
    for band in ds.data_vars:
        assert filled[band].dims == ("sample", *ds[band].dims)
        assert filled[band].dtype == ds[band].dtype
        assert f"{band}_std" not in filled
        assert filled[band].attrs["ancillary_variables"] == f"{band}_provenance"
        assert "sample" not in filled[f"{band}_provenance"].dims
        seen = (filled[f"{band}_provenance"] == 1).values
        for one in filled[band].values:
            np.testing.assert_array_equal(one[seen], ds[band].values[seen])
        gap = (filled[f"{band}_provenance"] == 2).values
        assert not np.array_equal(filled[band].values[0][gap], filled[band].values[1][gap])
        if np.dtype(dtype).kind in "iu":
            assert (filled[band].values[:, gap] != ds[band].attrs["nodata"]).all()


def test_draws_do_not_depend_on_chunks() -> None:
    ds = make(2, 150, 140)
    whole = drawn(ds)
    tiled = drawn(ds.chunk({"time": 1, "y": 70, "x": 70}))
    assert tiled.red.chunks is not None
    for band in ds.data_vars:  # a mean of halves may round either way
        apart = tiled[band].values.astype(float) - whole[band].values
        assert np.abs(apart).max() <= 1


def test_a_part_of_a_band_dim_draws_as_variables_do() -> None:
    ds = make(2, 60, 70, dtype="float32")
    array = ds.to_dataarray("band").transpose("time", "band", "y", "x").rename("cube")
    joint, apart = drawn(array), drawn(ds)
    np.testing.assert_allclose(joint.cube.isel(band=1), apart.nir, rtol=1e-5)


def test_the_seed_decides() -> None:
    ds = make(2, 60, 70)
    xr.testing.assert_identical(drawn(ds, 1), drawn(ds, 1))
    assert not drawn(ds, 1).equals(drawn(ds, 1, seed=1))
    dates = drawn(ds.isel(time=[0]), 1).red.values[:, 0]  # a date's draw is its own
    np.testing.assert_array_equal(dates, drawn(ds, 1).red.values[:, 0])


@pytest.mark.parametrize("level", [0.5, 0.9])
def test_draws_are_spread_as_the_answer_says(level: float) -> None:
    ds = make(1, 150, 140, dtype="float32")
    answer = inpaint(ds, FILLER, name="mean")
    many = drawn(ds, 40)
    away = np.abs(many.red - answer.red) / answer.red_std
    inside = (away <= half_width(level)).where(answer.red_provenance == 2)
    assert float(inside.mean()) * len(many.sample) == pytest.approx(level * 40, abs=1.2)


def test_neighbours_and_bands_are_alike_as_was_measured() -> None:
    mean, std = np.zeros((3, 500, 500), np.float32), np.ones((3, 500, 500), np.float32)
    made = coherent.draw(mean, std, (1, 2))
    rank = stats.norm.ppf(stats.t.cdf(made / SCALE, DEGREES))
    for lag, want in ((1, 0.63), (4, 0.27), (8, 0.15)):
        got = np.corrcoef(rank[0, :, lag:].ravel(), rank[0, :, :-lag].ravel())[0, 1]
        assert got == pytest.approx(want, abs=0.04)
    assert np.corrcoef(rank[0].ravel(), rank[2].ravel())[0, 1] == pytest.approx(0.48, abs=0.04)
    assert rank.std() == pytest.approx(1, abs=0.03)
    at = np.median(np.abs(made)) / half_width(0.5)
    assert at == pytest.approx(1, abs=0.05)


def test_packed_floats_stay_what_integers_can_hold(tmp_path: Path) -> None:
    ds = make(1, 60, 70, dtype="float32") / 10000
    packing = {"dtype": "uint16", "scale_factor": 1e-4, "_FillValue": 0}
    for band in ds.data_vars:
        ds[band].encoding = dict(packing)
    filled = drawn(ds)
    filled.to_zarr(tmp_path / "out.zarr", consolidated=False)
    again = xr.open_zarr(tmp_path / "out.zarr", consolidated=False)
    np.testing.assert_allclose(again.red, filled.red, atol=0.6e-4)


def test_a_method_that_is_never_unsure_draws_nothing() -> None:
    sure = WindowMean(5, has_std=False)
    with pytest.raises(MethodError, match="nothing to draw from"):
        draws(make(1, 40, 48), sure, 2, name="mean")


def test_integers_of_which_only_observed_tells() -> None:
    ds = make(1, 40, 48)
    seen = ds != 0
    bare = ds.drop_attrs()
    made = draws(bare, FILLER, 2, name="mean", observed=seen)
    assert (made.red_provenance == 2).any()
    assert made.red.sizes["sample"] == 2
