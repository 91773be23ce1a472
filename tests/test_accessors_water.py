"""``ds.water``: real signatures, one call each."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
import xarray as xr

import xinpaint  # noqa: F401
from tests.cube.ponds import YEAR, cube, states
from xinpaint.accessors_water import Water
from xinpaint.cube import water
from xinpaint.errors import MethodError, WeightsError
from xinpaint.water.extent import Rule

METHODS = ("index", "extent", "occurrence", "month_counts", "seasonality", "area")


@pytest.mark.parametrize("method", METHODS)
def test_signatures_are_real(method):
    function = getattr(Water, method)
    parameters = list(inspect.signature(function).parameters.values())[1:]
    free = [p.name for p in parameters if p.kind is not inspect.Parameter.KEYWORD_ONLY]
    assert free == (["name"] if method == "index" else [])
    assert "Examples" in function.__doc__
    if method != "area":
        assert {"scale", "offset", "observed"} <= {p.name for p in parameters}


def test_one_line_each():
    truth = states(12)
    ds = cube(truth, YEAR)
    np.testing.assert_array_equal(ds.water.extent(index="ndwi", threshold=0.0).extent, truth)
    assert ds.water.index("awei_sh", scale=1e-4).awei_sh.dtype == np.float32
    assert ds.water.occurrence().occurrence.shape == truth.shape[1:]
    assert ds.water.month_counts().wet.shape == (12, *truth.shape[1:])
    made = ds.chunk({"y": 5}).water.seasonality(window=12, method="count")
    assert made.seasonality.shape == (1, *truth.shape[1:])
    assert float(made.water.area().area.sum()) == pytest.approx(12 * 15 * 900 / 1e6)
    assert float(made.seasonality.water.area().area.sum()) == pytest.approx(0.162)


def test_on_an_array():
    ds = cube(states(2), YEAR[:2])
    array = ds.to_dataarray("band").assign_attrs(nodata=-9999)
    xr.testing.assert_equal(array.water.extent().extent, ds.water.extent().extent)


def test_counting_another_extent():
    ds = cube(states(6), YEAR[:6])
    found = ds.water.extent(index="ndwi", threshold=0.1)
    made = found.water.seasonality(method="count", window=4, step=2)
    rule = Rule("ndwi", 0.1)
    xr.testing.assert_identical(made, water.seasonality(ds, rule, window=4, step=2))
    assert made.seasonality.attrs["index"] == "ndwi"
    lazy = found.chunk({"y": 5}).water.seasonality(method="count", window=4, step=2)
    xr.testing.assert_identical(lazy.compute(), made)


def test_unknown_words():
    ds = cube(states(1), YEAR[:1])
    with pytest.raises(MethodError, match="unknown index"):
        ds.water.index("wetness")
    with pytest.raises(MethodError, match="method='counts'; wanted 'unet3d' or 'count'"):
        ds.water.seasonality(method="counts")
    with pytest.raises(WeightsError, match="tells no classes"):
        ds.water.seasonality(method="unet3d", weights="convcnp")
