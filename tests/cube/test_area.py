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
