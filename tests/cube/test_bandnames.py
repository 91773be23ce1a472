"""A band dim whose entries are flags, or have one name twice; flags among the coordinates."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import xinpaint  # noqa: F401 - registers the accessors
from tests.cube.make import make
from xinpaint.errors import SchemaError

CLEAR, CLOUD = 21824, 22280


def flagged() -> xr.Dataset:
    """Green and nir without a gap, and clouds in QA_PIXEL alone."""
    ds = make(dtype="float32").fillna(700.0).rename(red="green")
    flags = np.full((2, 40, 50), CLEAR, np.uint16)
    flags[1, 5:15, 20:30] = CLOUD
    return ds.assign(qa_pixel=(("time", "y", "x"), flags))


def as_array(ds: xr.Dataset) -> xr.DataArray:
    return ds.to_dataarray("band").transpose("time", "band", "y", "x")


@pytest.mark.parametrize("label", ["qa_pixel", "SCL", "fmask", "qa_aerosol"])
def test_flags_in_a_band_dim_are_no_band(label: str) -> None:
    array = as_array(flagged().rename(qa_pixel=label))
    told = (
        rf"entry '{label}' of 'band'.*ds = array.to_dataset\('band'\).*drop_sel\(band=\['{label}'\]"
    )
    for call in (array.inpaint.gaps, array.inpaint.telea, lambda: array.inpaint.score("telea")):
        with pytest.raises(SchemaError, match=told):
            call()
    array.drop_sel(band=[label]).inpaint.gaps()


def test_flags_among_the_descriptions_of_a_geotiff() -> None:
    array = as_array(flagged()).drop_vars("band")
    array.attrs["long_name"] = ("green", "nir", "qa_pixel")
    with pytest.raises(SchemaError, match=re.escape("assign_coords(band=['green', ")):
        array.inpaint.gaps()


def test_to_dataset_gives_flags_their_meaning() -> None:
    ds = flagged()
    array = as_array(ds.astype("float64"))
    split = array.to_dataset("band")
    assert split.qa_pixel.dtype == np.float64
    xr.testing.assert_equal(split.inpaint.gaps().nir, ds.inpaint.gaps().nir)
    assert set(split.inpaint.gaps().data_vars) == {"green", "nir"}
    assert float(split.inpaint.gaps().nir.mean()) == 100 / 4000


def test_water_splits_by_itself() -> None:
    ds = flagged()
    made = as_array(ds.astype("float64")).water.index("ndwi").ndwi
    assert int(made.isnull().sum()) == 100


def test_flags_among_the_coordinates_count() -> None:
    ds = flagged()
    moved = ds.set_coords("qa_pixel")
    assert int(moved.inpaint.gaps().nir.sum()) == 100
    assert int(moved.water.index("ndwi").ndwi.isnull().sum()) == 100
    array = as_array(moved)
    assert int(array.inpaint.gaps()["data"].sum()) == 200
    assert int(array.water.index("ndwi").ndwi.isnull().sum()) == 100


def test_one_name_twice() -> None:
    ds = flagged()
    twice = xr.concat(
        [ds.green, 9 * ds.green, ds.nir], pd.Index(["green", "green", "nir"], name="band")
    )
    for call in (lambda: twice.water.index("ndwi"), twice.inpaint.plot.gaps):
        with pytest.raises(SchemaError, match=r"'band' has more than one entry called 'green'"):
            call()
