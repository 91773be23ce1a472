"""Cubes as users hand them over: scaled by hand, masked by hand, with whatever lies beside."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import xinpaint
from tests.cube.make import make
from xinpaint.core.qa import decode, is_quality
from xinpaint.cube.area import area
from xinpaint.errors import SchemaError


def packed(path: Any) -> xr.Dataset:
    """Reflectance out of a store of integers, in memory."""
    ds = (make() * 1e-4).where(lambda d: d > 0).astype("float32").drop_attrs()
    kept = {"dtype": "uint16", "scale_factor": 1e-4, "_FillValue": 0}
    ds.to_zarr(path, consolidated=False, encoding=dict.fromkeys(ds, kept))
    return xr.open_zarr(path, consolidated=False).load()


def given(ds: xr.Dataset, chunks: dict[str, int]) -> xr.Dataset:
    """In memory, or in chunks."""
    return ds.chunk(chunks) if chunks else ds


@pytest.mark.parametrize("factor", [1e-4, 3.3, 1000.0])
@pytest.mark.parametrize("samples", [None, 1])
def test_an_encoding_that_no_longer_speaks_of_the_values(tmp_path, factor, samples) -> None:
    ds = packed(tmp_path / "packed.zarr")
    whole = ds.inpaint.convnp(samples=samples)
    ds["red"] *= factor
    assert ds.red.encoding["dtype"] == "uint16"
    made = ds.inpaint.convnp(samples=samples)
    gap = (made.red_provenance == 2).values
    one, two = whole.red.values[..., gap], made.red.values[..., gap]
    free = one > 2e-4  # of draws below, the integers hold back some
    assert free.mean() > 0.9
    np.testing.assert_allclose(two[free], one[free] * factor, rtol=0.01)


@pytest.mark.parametrize("nodata", [-9999.0, 0.0])
def test_nan_that_nothing_fills_stays_nan(nodata: float) -> None:
    ds = make(3, dtype="float32")
    for band in ds.data_vars.values():
        band.attrs["_FillValue"] = nodata
    ds.red[:, 10:20, 10:20] = np.nan
    ds.red[0, 30, 30] = nodata
    made = ds.inpaint.linear_time()
    left = (made.red_provenance == 3).values
    assert left[:, 10:20, 10:20].all()
    kept = np.where(np.isnan(ds.red), np.nan, nodata).astype("float32")
    np.testing.assert_array_equal(made.red.values[left], kept[left])


def test_a_lone_pixel_is_not_believed() -> None:
    ds = xinpaint.tutorial.open_cube(dates=3, size=96, truth=True)[["red", "nir"]].astype("f4")
    for band in ds.data_vars.values():
        kept = float(band[1, 40, 40])
        band[1] = np.nan
        band[1, 40, 40] = kept
    made = ds.inpaint.convnp().isel(time=1)
    for name in ("red", "nir"):
        assert not (made[f"{name}_provenance"] == 2).any()
        assert np.isnan(made[f"{name}_std"]).sum() == 96 * 96 - 1


@pytest.mark.parametrize("chunks", [{}, {"y": 32, "x": 32}])
def test_water_of_bands_scaled_by_hand_whose_attributes_remain(chunks: Any) -> None:
    ds = xinpaint.tutorial.open_cube(dates=2, size=64, truth=True) * 1e-4
    for band in ds.data_vars.values():
        band.attrs = {"scale_factor": 2.75e-5, "add_offset": -0.2}
    with pytest.raises(SchemaError, match=r"scale_factor=2.75e-05.*look like reflectance already"):
        given(ds, chunks).water.extent().compute()
    stored = ((ds + 0.2) / 2.75e-5).round()
    for name in ds.data_vars:
        stored[name].attrs = dict(ds[name].attrs)
    plain = ds.drop_attrs().water.extent(scale=1, offset=0)
    np.testing.assert_array_equal(stored.water.extent().extent, plain.extent)


@pytest.mark.parametrize("chunks", [{}, {"y": 8, "x": 8}])
def test_glint_is_reflectance(chunks: Any) -> None:
    bands = ("green", "swir1", "nir", "swir2")
    ds = xr.Dataset({name: (("y", "x"), np.full((32, 32), 0.1, "f4")) for name in bands})
    for band in ds.data_vars.values():
        band[:8, :8] = 2.5
    assert (given(ds, chunks).water.extent(index="awei_nsh").extent < 2).all()
    with pytest.raises(SchemaError, match="needs reflectance of 0 to 1"):
        (given(ds, chunks) * 1000).water.extent(index="awei_nsh").compute()


def test_the_packed_mask_of_hls_is_no_fmask() -> None:
    with pytest.raises(SchemaError, match=r"fmask holds 32.*rename it hls_fmask"):
        decode(np.array([0, 32, 255], "u1"), "fmask")
    ds = make()
    ds["Fmask"] = ds.red.dims, np.full(ds.red.shape, 64, "u1")
    with pytest.raises(SchemaError, match="rename it hls_fmask"):
        ds.inpaint.telea()
    assert decode(np.array([0, 4, 255, -9999]), "fmask").astype(bool).tolist() == [
        False, True, True, True,
    ]  # fmt: skip


def test_quality_layers_by_name() -> None:
    for name in (
        "QA60", "QA10", "MSK_CLASSI_OPAQUE", "SCL_20m", "oa_s2cloudless_mask", "UDM2", "qa",
        "oa_nbart_contiguity", "state_1km", "QC_500m", "pixel_quality", "sr_aerosol",
        "SR_QA_AEROSOL",
        "QA_RADSAT", "radsat_qa", "ST_QA", "sr_atmos_opacity", "QA_PIXEL", "fmask",
    ):  # fmt: skip
        assert is_quality(name), name
    for name in ("red", "nbart_red", "SR_B4", "B8A", "lst", "equal", "sqa", "coastal_aerosol"):
        assert not is_quality(name), name
    ds = make()
    alone = ds.inpaint.telea()
    ds["QA60"] = xr.full_like(ds.red, 1024)
    made = ds.inpaint.telea()
    assert set(made) - set(alone) == {"QA60"}
    xr.testing.assert_identical(made.QA60, ds.QA60)


def test_the_advice_for_duplicate_times_keeps_what_was_seen() -> None:
    values = np.full((3, 48, 48), 3000, "int16")
    values[0, :, :40], values[1, :, 30:] = 32767, 32767
    ds = xr.Dataset(
        {"red": (("time", "y", "x"), values, {"nodata": 32767})},
        {"time": pd.to_datetime(["2020-01-01", "2020-01-01", "2020-01-17"])},
    )
    with pytest.raises(SchemaError, match="duplicate time") as caught:
        ds.inpaint.regression()
    advice = str(caught.value).split("duplicates: ")[1]
    merged = eval(advice, {"ds": ds})
    assert merged.sizes["time"] == 2
    missing = (values[:2] == 32767).all(0)
    np.testing.assert_array_equal(np.isnan(merged.red[0]), missing)


@pytest.mark.parametrize(("factor", "level"), [(1e15, 0.0), (1.0, 1e6)])
def test_no_answer_is_surer_than_float32(factor: float, level: float) -> None:
    ds = make(1, dtype="float64") * factor / 4000 + level
    made = ds.inpaint.convnp()
    gap = (made.red_provenance == 2).values
    assert gap.any()
    assert (made.red_std.values[gap] >= 1e-7 * np.abs(made.red.values[gap])).all()


def test_area_knows_the_crs_of_stackstac() -> None:
    water = xr.DataArray(
        np.ones((4, 4), np.uint8),
        {"y": 6e6 - 30.0 * np.arange(4), "x": 4e5 + 30.0 * np.arange(4), "epsg": 3857},
        ("y", "x"),
        attrs={"flag_values": [0, 1], "flag_meanings": "not_water water"},
    )
    with pytest.raises(SchemaError, match="Pseudo-Mercator"):
        area(water)
    found = area(water.assign_coords(epsg=32633)).area
    np.testing.assert_allclose(found, [0, 16 * 900 / 1e6])


def test_a_filled_band_filled_again_names_its_layers_once() -> None:
    ds = make()
    ds["red"].attrs["ancillary_variables"] = "elsewhere"
    filled = ds.inpaint.regression()
    again = filled[["red"]].inpaint.telea()
    assert again.red.attrs["ancillary_variables"] == "elsewhere red_provenance"
