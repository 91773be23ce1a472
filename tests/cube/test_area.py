"""Areas add up, in metres and in degrees."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from tests.cube.ponds import YEAR, cube, states
from xinpaint.cube import water
from xinpaint.cube.area import area
from xinpaint.errors import SchemaError


@pytest.mark.parametrize("chunks", [None, {"time": 2, "y": 5, "x": 4}])
def test_classes_add_up(chunks):
    ds = cube(states(12), YEAR)
    made = water.seasonality(ds if chunks is None else ds.chunk(chunks))
    found = area(made).area
    assert (found.chunks is None) == (chunks is None)
    assert found.dims == ("class", "time")
    assert found["class"].values.tolist() == ["not_water", "seasonal", "permanent", "no_data"]
    assert found.attrs["units"] == "km2"
    for name, code in (("not_water", 0), ("seasonal", 1), ("permanent", 2), ("no_data", 255)):
        pixels = (made.seasonality == code).sum(("y", "x"))
        np.testing.assert_allclose(found.sel({"class": name}), pixels * 900 / 1e6)
    np.testing.assert_array_equal(found.time, made.time)


def test_extent_without_time():
    made = water.extent(cube(states(1), YEAR[:1]).isel(time=0))
    found = area(made).area
    assert found.dims == ("class",)
    np.testing.assert_allclose(found.sum(), 12 * 15 * 900 / 1e6)
    xr.testing.assert_equal(area(made.extent).area, found)


def globe(units: str = "degrees_north") -> xr.Dataset:
    lat, lon = np.arange(89.5, -90, -1), np.arange(-179.5, 180, 1)
    flags = {"flag_values": np.uint8([0, 1]), "flag_meanings": "not_water water"}
    sea = np.ones((180, 360), np.uint8)
    return xr.Dataset(
        {"extent": (("lat", "lon"), sea, flags)},
        coords={"lat": ("lat", lat, {"units": units}), "lon": ("lon", lon)},
    )


def test_the_whole_earth():
    found = area(globe()).area.sel({"class": "water"})
    assert float(found) == pytest.approx(510_065_622, rel=1e-6)  # km2, WGS 84


def test_one_row_has_the_size_of_its_geotransform():
    made = water.extent(cube(states(1), YEAR[:1]).isel(time=0, y=[0]))
    with pytest.raises(SchemaError, match="size of a pixel is not known"):
        area(made.drop_vars("y"))
    made.spatial_ref.attrs["GeoTransform"] = "0 30 0 0 0 -30"
    np.testing.assert_allclose(area(made).area.sum(), 15 * 900 / 1e6)


def test_what_has_no_area():
    made = water.extent(cube(states(1), YEAR[:1]).isel(time=0))
    with pytest.raises(SchemaError, match="none with flags"):
        area(water.index(cube(states(1), YEAR[:1])))
    feet = made.assign_coords(x=made.x.assign_attrs(units="US survey foot"))
    with pytest.raises(SchemaError, match="US survey foot"):
        area(feet)
    wkt = 'PROJCS["WGS 84 / Pseudo-Mercator",...]'
    made = made.assign_coords(spatial_ref=made.spatial_ref.assign_attrs(crs_wkt=wkt))
    with pytest.raises(SchemaError, match="reproject"):
        area(made)


def test_whatever_the_chunks_bit_for_bit():
    made = globe().isel(lon=slice(0, 97))
    made["extent"] = made.extent * (np.random.default_rng(0).random((180, 97)) < 0.5)
    made.extent.attrs = globe().extent.attrs
    whole = area(made).area
    for chunks in ({"lat": 7, "lon": 11}, {"lat": 1}, {"lat": -1, "lon": 13}):
        xr.testing.assert_identical(area(made.chunk(chunks)).area.compute(), whole)
    turned = area(made.transpose("lon", "lat").expand_dims(time=3).chunk(lat=50)).area
    np.testing.assert_array_equal(turned.isel(time=1), whole)


def test_nan_is_no_data():
    made = water.extent(cube(states(6), YEAR[:6]))
    made["extent"][:, 0, 0] = 255
    masked = made.where(made.extent != 255)
    assert masked.extent.dtype.kind == "f"
    for ds in (masked, masked.chunk(y=5)):
        xr.testing.assert_equal(area(ds).area.compute(), area(made).area)
        counted = water.seasonality(ds, window=3).compute()
        xr.testing.assert_equal(counted, water.seasonality(made, window=3))
    assert (counted.seasonality[:, 0, 0] == 255).all()


def test_flags_of_a_geotiff_are_text():
    made = water.extent(cube(states(1), YEAR[:1]).isel(time=0))
    wanted = area(made).area
    for text in ("[  0   1 255]", "{0,1,255}"):
        made.extent.attrs["flag_values"] = text
        xr.testing.assert_equal(area(made).area, wanted)
    made.extent.attrs["flag_values"] = "[0 1 ...]"
    with pytest.raises(SchemaError, match=r"flag_values '\[0 1 \.\.\.\]' for flag_meanings"):
        area(made)


def test_degrees_that_nobody_declared():
    pytest.importorskip("rioxarray")
    there = {"y": 50 - 3e-4 * np.arange(12), "x": 1 + 3e-4 * np.arange(15)}
    made = water.extent(cube(states(1), YEAR[:1]).isel(time=0)).drop_vars("spatial_ref")
    made = made.assign_coords(there)
    with pytest.raises(SchemaError, match=r"'y' and 'x' look like degrees.*write_crs\('EPSG:4326'"):
        area(made)
    wanted = area(made.rename(y="latitude", x="longitude")).area
    xr.testing.assert_equal(
        area(made.rio.write_crs("EPSG:4326")).area.drop_vars("spatial_ref", errors="ignore"), wanted
    )
    made.y.attrs["units"] = made.x.attrs["units"] = "km"  # a plot in a laboratory
    assert float(area(made).area.sum()) == pytest.approx(180 * 3e-4**2)
