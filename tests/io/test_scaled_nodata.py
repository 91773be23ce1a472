"""A cube whose attrs hold nodata beside a scale: xarray scales both, and missing stays missing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import xinpaint
from tests.cube.fillers import WindowMean
from xinpaint.cube import schema
from xinpaint.cube.inpaint import gaps, inpaint

pytestmark = pytest.mark.filterwarnings("ignore:Consolidated metadata")

PACKINGS = {
    "scale": ("int16", -9999, {"scale_factor": 1e-4}),
    "offset": ("uint16", 0, {"scale_factor": 2.75e-5, "add_offset": -0.2}),
    "single": ("int16", -9999, {"scale_factor": np.float32(1e-4), "add_offset": np.float32(-0.1)}),
    "long": ("int32", -(2**31), {"scale_factor": np.float32(1e-4)}),
    "bytes": ("uint8", 255, {"scale_factor": 0.1}),
}
each = pytest.mark.parametrize("kind", PACKINGS)


def stored(kind: str, path: Path, key: str = "nodata") -> tuple[np.ndarray, xr.Dataset]:
    """Where the cube is missing, and the cube as xarray opens it."""
    dtype, nodata, packing = PACKINGS[kind]
    top = 200 if dtype == "uint8" else 9000
    numbers = np.random.default_rng(0).integers(1, top, (2, 150, 170)).astype(dtype)
    numbers[:, :, 4::9] = nodata
    numbers[:, 90:120, 40:70] = nodata  # wider than the window of some
    raw = xr.Dataset({"red": (("time", "y", "x"), numbers, {key: nodata, **packing})})
    raw = raw.assign_coords(time=np.array(["2004-01-01", "2004-01-17"], "datetime64[ns]"))
    raw = raw.chunk(time=1, y=72, x=72)
    raw.to_zarr(path, consolidated=False)
    return numbers == nodata, xr.open_zarr(path, consolidated=False)


@each
@pytest.mark.parametrize("lazy", [True, False])
def test_missing_is_missing(kind: str, lazy: bool, tmp_path: Path) -> None:
    missing, ds = stored(kind, tmp_path / "in.zarr")
    ds = ds if lazy else ds.compute()
    assert ds.red.dtype.kind == "f"
    assert ds.red.notnull().all()  # xarray left them as numbers
    np.testing.assert_array_equal(gaps(ds).red, missing)
    filled = inpaint(ds, WindowMean(5), name="mean")
    np.testing.assert_array_equal(filled.red_provenance >= 2, missing)
    np.testing.assert_array_equal(filled.red.values[~missing], ds.red.values[~missing])
    assert filled.red.attrs["nodata"] == PACKINGS[kind][1]


@each
def test_what_stays_missing_is_written_as_nodata(kind: str, tmp_path: Path) -> None:
    missing, ds = stored(kind, tmp_path / "in.zarr")
    top = xr.zeros_like(ds.red, bool) | (xr.DataArray(np.arange(150) < 70, dims="y"))
    inpaint(ds, WindowMean(5), name="mean", where=top).to_zarr(tmp_path / "out.zarr")
    before = xr.open_zarr(tmp_path / "in.zarr", consolidated=False, mask_and_scale=False).red
    after = xr.open_zarr(tmp_path / "out.zarr", mask_and_scale=False).red
    assert after.dtype == before.dtype
    kept = ~missing | ~top.values
    np.testing.assert_array_equal(after.values[kept], before.values[kept])
    assert (after.values[~kept] != PACKINGS[kind][1]).all()
    again = xr.open_zarr(tmp_path / "out.zarr").red
    np.testing.assert_array_equal(again.isnull(), missing & ~top.values)
    assert again.attrs["nodata"] == PACKINGS[kind][1]


@each
def test_the_job_does_as_the_accessor(kind: str, tmp_path: Path) -> None:
    missing, ds = stored(kind, tmp_path / "in.zarr")
    report = xinpaint.fill(
        tmp_path / "in.zarr", tmp_path / "job.zarr", WindowMean(2), block=72, progress=False
    )
    assert report.complete
    whole = inpaint(ds, WindowMean(2), name="WindowMean")  # too small a window: gaps remain
    whole.to_zarr(tmp_path / "lazy.zarr", zarr_format=3)
    made, want = (xr.open_zarr(tmp_path / f"{which}.zarr") for which in ("job", "lazy"))
    np.testing.assert_array_equal(made.red_provenance, want.red_provenance)
    assert (want.red_provenance != 2).values[missing].any()
    step = float(PACKINGS[kind][2]["scale_factor"])  # a mean of halves may round either way
    np.testing.assert_allclose(made.red, want.red, rtol=0, atol=1.01 * step)
    np.testing.assert_array_equal(made.red.values[~missing], ds.red.values[~missing])


def test_water_sees_the_gaps() -> None:
    numbers = np.full((1, 3, 30, 30), 900, np.int16)
    numbers[..., ::7] = -9999
    attrs = {"nodata": -9999, "scale_factor": 1e-4}
    bands = dict(zip(("green", "nir", "swir1"), numbers[0], strict=True))
    raw = xr.Dataset({name: (("y", "x"), band, attrs) for name, band in bands.items()})
    decoded = xr.decode_cf(raw)
    want, got = raw.water.extent(), decoded.water.extent()
    for name in want.data_vars:
        np.testing.assert_array_equal(got[name], want[name])


def test_a_value_that_equals_stored_nodata_is_a_value() -> None:
    raw = xr.Dataset({"t": (("y", "x"), np.array([[-10, 5], [7, -1]], "int16"))})
    raw.t.attrs = {"nodata": -1, "scale_factor": 0.1}
    np.testing.assert_array_equal(gaps(xr.decode_cf(raw)).t, [[False, False], [False, True]])


def test_floats_that_hold_nodata_unscaled_are_missing_too() -> None:
    values = np.array([[0.1, -9999.0], [0.2, 0.3]], np.float32)
    ds = xr.Dataset({"red": (("y", "x"), values, {"nodata": -9999})})
    ds.red.encoding = {"dtype": "int16", "scale_factor": 1e-4}
    np.testing.assert_array_equal(gaps(ds).red, values == -9999)


def test_what_xarray_masked_keeps_its_packing() -> None:
    ds = xr.Dataset({"red": (("y", "x"), np.array([[0.1, np.nan]], np.float32), {"nodata": -9999})})
    ds.red.encoding = {"dtype": "int16", "scale_factor": 1e-4, "_FillValue": -1}
    read = schema.read(ds)
    assert read.groups[0].layers[0].nodata is None  # what is not filled stays NaN, not -9999.0
    assert read.dataset.red.encoding == ds.red.encoding
    assert read.dataset.red.dtype == np.float32
    xr.testing.assert_identical(read.dataset, ds)
