"""Attributes, dates, names and draws that used to be misread, or failed with a foreign error."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import xinpaint  # noqa: F401 - registers the accessors
from tests.cube.make import make
from xinpaint.errors import MethodError, SchemaError


def test_several_numbers_for_nodata() -> None:
    ds = make()
    ds["nir"].attrs["nodata"] = [65535, 0]
    told = (
        r"'nir' says nodata=\[65535, 0\], 2 numbers.*observed=~ds\['nir'\].isin\(\[0.0, 65535.0\]\)"
    )
    with pytest.raises(SchemaError, match=told):
        ds.inpaint.gaps()
    want = make().inpaint.gaps().nir
    for same in ([0, 0], (0,), np.uint16([0])):
        ds["nir"].attrs["nodata"] = same
        xr.testing.assert_equal(ds.inpaint.gaps().nir, want)


@pytest.mark.parametrize("told", ["qa sun", ["qa", "sun"], ("qa", "sun")])
def test_ancillary_variables_in_a_list(told: Any) -> None:
    ds = make()
    ds["nir"].attrs["ancillary_variables"] = told
    made = ds.inpaint.telea().nir.attrs["ancillary_variables"]
    assert made == "qa sun nir_provenance"


def test_what_cannot_be_scored() -> None:
    ds: Any = make()
    with pytest.raises(MethodError, match=r"'x' is 'telea'; wanted a filler.*score\(\['telea'\]\)"):
        ds.inpaint.score({"x": "telea"})
    for seed in (-1, 0.5, True):
        with pytest.raises(MethodError, match=f"seed={seed}; wanted a whole number of 0 or more"):
            ds.inpaint.score("telea", seed=seed)


@pytest.mark.parametrize("dtype", ["int64", "float64"])
def test_numbers_that_read_as_dates(dtype: str) -> None:
    ds = make(t=3).assign_coords(time=np.array([20200131, 20200201, 20200202], dtype))
    with pytest.raises(SchemaError, match="such as 20200131, which read as dates") as caught:
        ds.inpaint.linear_time()
    call = str(caught.value).split("use ")[1]
    mended = eval(call, {"ds": ds, "pandas": pd})
    assert mended.time.dt.day.values.tolist() == [31, 1, 2]
    mended.inpaint.gaps()
    for days in ([18292, 18293, 18294], [20201301, 20201302, 20201303]):
        ds.assign_coords(time=np.array(days, dtype)).inpaint.gaps()


@pytest.mark.parametrize(
    ("times", "said"),
    [
        (np.array([2020031, 2020032, 2020033]), r"days of years \(YYYYDDD\)"),
        (np.array([1580428800, 1580515200, 1580601600]), "seconds"),
        (np.array([1580428800, 1580515200, 1580601600.0]) * 1e3, "milliseconds"),
        (np.array([1580428800, 1580515200, 1580601600]) * 10**9, "nanoseconds"),
        (pd.date_range("2020-01-31", periods=3, tz="UTC"), r"times of a zone \(UTC\)"),
        (pd.period_range("2020-01-31", periods=3, freq="D"), "periods"),
        (pd.to_timedelta([18292, 18293, 18294], unit="D"), "time spans"),
    ],
)
def test_times_that_are_no_plain_dates(times: Any, said: str) -> None:
    """The advice, followed to the letter, gives the dates that were meant."""
    ds = make(t=3).assign_coords(time=times)
    with pytest.raises(SchemaError, match=said) as caught:
        ds.inpaint.linear_time()
    mended = eval(str(caught.value).split("use ")[1], {"ds": ds, "pandas": pd, "numpy": np})
    assert mended.time.dt.strftime("%Y%m%d").values.tolist() == ["20200131", "20200201", "20200202"]
    mended.inpaint.gaps()


def test_decimal_years_are_told_of() -> None:
    ds = make(t=3).assign_coords(time=np.array([2020.0833, 2020.0875, 2020.2]))
    with pytest.warns(UserWarning, match="such as 2020.08, taken for days; if") as caught:
        ds.inpaint.linear_time()
    call = str(caught[0].message).split("use ")[1]
    mended = eval(call, {"ds": ds, "pandas": pd})
    assert mended.time.dt.month.values.tolist() == [1, 2, 3]
    assert caught[0].filename == __file__


def test_one_draw_at_a_time() -> None:
    ds: Any = make(dtype="float32").rename(red="green").expand_dims(sample=3)
    told = r"'green' holds 3 draws; wanted one at a time: .*\.isel\(sample=0\)"
    for call in (ds.inpaint.gaps, ds.inpaint.telea, lambda: ds.water.index("ndwi")):
        with pytest.raises(SchemaError, match=told):
            call()
    ds.isel(sample=0).inpaint.gaps()


def test_heights_beside_dated_bands() -> None:
    ds = make()
    ds["dem"] = ds.red.isel(time=0, drop=True).drop_attrs()
    with pytest.raises(SchemaError, match=r"no band to fill, .* ds\.drop_vars\('dem'\)"):
        ds.inpaint.gaps()
    ds["dem"] = ds.red.drop_attrs()
    with pytest.raises(SchemaError, match=r"or pass observed=$"):
        ds.inpaint.gaps()


@pytest.mark.parametrize("index", ["auto", "mndwi"])
def test_bands_of_an_array_under_other_names(index: str) -> None:
    ds: Any = make().rename(red="B3", nir="B6")
    told = r"\.assign_coords\(band=\['green'.*in the order of the bands"
    with pytest.raises(SchemaError, match=told):
        ds.to_dataarray("band").water.index(index)
    with pytest.raises(SchemaError, match=r"ds\.rename\(\{'NAME HERE': 'green'"):
        ds.water.index(index)
