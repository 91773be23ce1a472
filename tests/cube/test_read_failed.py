"""What a source says of its pixels: `observed` is picked up, `read_failed` is never a gap."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import xinpaint
from tests.cube.fillers import PlaneMean, WindowMean
from tests.cube.make import make
from xinpaint.core.task import FILLED, OBSERVED, READ_FAILED
from xinpaint.cube import spectra
from xinpaint.cube.inpaint import gaps, inpaint
from xinpaint.cube.schema import read
from xinpaint.water.extent import Rule


def with_failures(dtype: str = "uint16", lazy: bool = False) -> tuple[xr.Dataset, np.ndarray]:
    """A cube of which rows 16 to 29 of `nir` on the first date could not be read."""
    ds = make(2, dtype=dtype)
    lost = np.zeros(ds.nir.shape, bool)
    lost[0, 16:30] = True
    ds["nir"] = ds.nir.where(~lost, 0 if dtype == "uint16" else np.nan).astype(dtype)
    ds["nir"].attrs = {"units": "1", "nodata": 0} if dtype == "uint16" else {"units": "1"}
    ds["read_failed"] = (
        ds.nir.dims,
        np.where(lost, 2, 0).astype(np.uint8),
        {"flag_masks": np.array([1, 2], np.uint8), "flag_meanings": "red nir"},
    )
    return (ds.chunk({"time": 1, "y": 20, "x": 25}) if lazy else ds), lost


@pytest.mark.filterwarnings("ignore:chunks of")
@pytest.mark.parametrize("dtype", ["uint16", "float32"])
@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("filler", [WindowMean(5), PlaneMean()])
def test_what_could_not_be_read_is_never_filled(dtype: str, lazy: bool, filler: object) -> None:
    ds, lost = with_failures(dtype, lazy)
    for where in (None, gaps(ds)):
        filled = inpaint(ds, filler, name="mean", where=where).compute()  # type: ignore[arg-type]
        code = filled.nir_provenance.values
        np.testing.assert_array_equal(code == READ_FAILED, lost)
        np.testing.assert_array_equal(filled.nir.values[lost], ds.nir.values[lost])
        assert not (filled.red_provenance == READ_FAILED).any()
        assert (filled.red_provenance == FILLED).any()
        if "nir_std" in filled:
            assert np.isnan(filled.nir_std.values[lost]).all()
    assert gaps(ds).nir.values[lost].all()


def test_values_left_where_reading_failed_are_not_context() -> None:
    ds, lost = with_failures("float32")
    clean = inpaint(ds, WindowMean(5), name="mean")
    ds["nir"] = ds.nir.where(~lost, 1e9)
    dirty = inpaint(ds, WindowMean(5), name="mean", observed=True)
    elsewhere = (clean.nir_provenance == FILLED).values
    np.testing.assert_array_equal(clean.nir.values[elsewhere], dirty.nir.values[elsewhere])
    assert (dirty.nir_provenance.values[lost] == READ_FAILED).all()


@pytest.mark.filterwarnings("ignore:chunks of")
def test_the_variable_observed_comes_before_raw_quality(tmp_path: Path) -> None:
    ds = make(2)
    seen = np.random.default_rng(1).random(ds.red.shape) < 0.7
    ds["observed"] = (ds.red.dims, seen)
    ds["QA_PIXEL"] = (ds.red.dims, np.full(ds.red.shape, 1, np.uint16))
    for cube in (ds, ds.chunk({"time": 1, "y": 20})):
        layer = read(cube).groups[0].layers[0]
        np.testing.assert_array_equal(np.asarray(layer.observed)[:, 0], seen)
        said = inpaint(cube, WindowMean(5), name="mean", observed=True)
        assert ((said.red_provenance == OBSERVED) == (ds.red != 0)).all()
    filled = inpaint(ds.chunk({"time": 1}), WindowMean(5), name="mean")
    assert filled.observed.dtype == bool
    np.testing.assert_array_equal(
        (filled.red_provenance == OBSERVED).values, seen & (ds.red != 0).values
    )
    ds.to_zarr(tmp_path / "cube.zarr", consolidated=False)
    again = xr.open_zarr(tmp_path / "cube.zarr", decode_coords="all", consolidated=False)
    layer = read(again).groups[0].layers[0]
    np.testing.assert_array_equal(np.asarray(layer.observed)[:, 0], seen)


def test_water_indices_know_both() -> None:
    ds, lost = with_failures()
    ds = ds.rename(red="green", nir="swir1")
    ds["read_failed"].attrs["flag_meanings"] = "green swir1"
    seen = np.random.default_rng(1).random(lost.shape) < 0.7
    ds["observed"] = (ds.green.dims, seen)
    green, swir = spectra.read(ds, Rule("mndwi")).layers
    np.testing.assert_array_equal(np.asarray(green.observed)[:, 0], seen)
    np.testing.assert_array_equal(np.asarray(swir.failed)[:, 0], lost)


@pytest.mark.filterwarnings("ignore:chunks of", "ignore:Failed to open Zarr store with cons")
def test_a_job_says_the_same(tmp_path: Path) -> None:
    ds, lost = with_failures(lazy=True)
    ds = ds.chunk({"time": 2, "y": 20, "x": 25})
    for variable in ds.variables.values():
        variable.encoding.pop("grid_mapping", None)
    ds.to_zarr(tmp_path / "src.zarr", consolidated=False)
    report = xinpaint.fill(tmp_path / "src.zarr", tmp_path / "dst.zarr", method="telea")
    assert report.complete
    filled = xinpaint.open_filled(tmp_path / "dst.zarr")
    np.testing.assert_array_equal(filled.nir_provenance.values == READ_FAILED, lost)
