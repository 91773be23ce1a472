"""Warnings of an answer that is not what its reader may think it is."""

from __future__ import annotations

import re
import warnings
from typing import Any

import pytest
import xarray as xr

import xinpaint  # noqa: F401 - registers the accessor
from tests.cube.make import make


def zeros(dtype: str = "float32") -> xr.Dataset:
    """Bands without NaN or nodata, 0 where the others have gaps."""
    ds = make(dtype=dtype).fillna(0)
    for band in ds.data_vars.values():
        band.attrs.clear()
        band.encoding.clear()
    return ds


def fill(ds: Any, **options: Any) -> xr.Dataset:
    made: xr.Dataset = ds.inpaint.telea(**options)
    return made


def test_zeros_that_nothing_calls_missing() -> None:
    ds = zeros()
    ds["red"] = ds.red.where(ds.red != 0)  # NaN says what is missing of this one
    share = float((ds.nir == 0).mean())
    told = (
        r"nothing of 'nir' is filled: it holds no NaN and says no nodata, but "
        rf"{share:.1%} of its pixels are exactly 0; if these are gaps, "
        r"set ds\['nir'\]\.attrs\['nodata'\] = 0, or pass observed="
    )
    with pytest.warns(UserWarning, match=told) as caught:
        made = fill(ds)
    assert len(caught) == 1 and caught[0].filename == __file__
    assert (made.nir_provenance == 1).all()
    ds["nir"].attrs["nodata"] = 0  # as it says
    assert (fill(ds).nir_provenance == 2).any()


def test_other_least_values() -> None:
    ds = zeros()[["nir"]]
    with pytest.warns(UserWarning, match=r"exactly -9999; .*\['nodata'\] = -9999"):
        fill(ds.where(ds != 0, -9999.0))


def silent(ds: xr.Dataset, **options: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fill(ds, **options)


def test_where_all_is_well_nothing_is_said() -> None:
    ds = zeros()
    silent(ds.chunk())  # not looked at beforehand
    silent(ds, observed=True)
    silent(ds + 1)  # many ones: a value like any other
    few = ds.where(ds != 0, 5.0)
    few["nir"][0, 0, :5] = 0
    silent(few)
    told = ds.copy()
    for band in told.data_vars.values():
        band.encoding["_FillValue"] = -9999.0  # decoded: it would be NaN now
    silent(told)


def test_a_date_of_which_nothing_was_observed() -> None:
    ds = make(t=6)
    ds["nir"][1:5] = 0
    told = r"nothing of 'nir' was observed on 2003-07-17, 2003-08-02, 2003-08-18 and 1 more"
    with pytest.warns(UserWarning, match=told):
        made = fill(ds)
    assert not (made.nir_provenance[1:5] == 2).any()
    silent(ds.chunk())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        along = ds.inpaint.linear_time()  # the other dates fill it
    assert (along.nir_provenance[1] == 2).any()


def test_an_image_of_which_nothing_was_observed() -> None:
    ds = make(t=1).isel(time=0, drop=True)
    ds["red"][:] = ds["nir"][:] = 0
    with pytest.warns(UserWarning, match="nothing of 'red', 'nir' was observed at all"):
        fill(ds)
    stacked = make(t=1).isel(time=0, drop=True).to_dataarray("band", name="image")
    stacked.attrs["nodata"] = 0
    stacked[1] = 0
    with pytest.warns(UserWarning, match=r"nothing of 'image' \(band 'nir'\) was observed at"):
        fill(stacked)


def test_a_value_below_zero_beside_nan() -> None:
    ds = zeros()[["nir"]].where(lambda ds: ds != 0, -9999.0)
    ds["nir"][0, 20, 20] = float("nan")
    share = float((ds.nir == -9999).mean())
    told = (
        rf"{share:.1%} of the pixels of 'nir' are exactly -9999, its least value, and count as "
        r"observed, though others are NaN; if these are gaps, set ds\['nir'\].*= -9999, or pass"
    )
    with pytest.warns(UserWarning, match=told):
        fill(ds)
    silent(ds, observed=ds.nir != -9999)
    silent(ds.clip(min=0))  # many zeros, clipped there, beside NaN
    ds["nir"].attrs["nodata"] = -9999  # as it says
    silent(ds)


def test_a_nodata_that_no_pixel_holds() -> None:
    ds = zeros()[["nir"]].where(lambda ds: ds != 0)
    ds = (ds / 10_000 - 0.123456789).fillna(-0.123456789).astype("float32")
    ds["nir"].attrs["_FillValue"] = 0  # as it was before it was scaled
    told = r"though what it calls missing is nowhere; .*attrs\['_FillValue'\] = (\S+), or pass"
    with pytest.warns(UserWarning, match=told) as caught:
        fill(ds)
    found = re.search(told, str(caught[0].message))
    assert found is not None
    ds["nir"].attrs["_FillValue"] = float(found[1])
    silent(ds)
    assert (fill(ds).nir_provenance == 2).any()
    silent(ds.assign(nir=ds.nir.clip(min=0).assign_attrs(nodata=-1)))
    scaled = ds.assign(nir=ds.nir.where(ds.x > ds.x[0]).drop_attrs())
    scaled["nir"].encoding = {"dtype": "uint16", "scale_factor": 1e-4, "add_offset": -0.1}
    with pytest.warns(UserWarning, match=r"others are NaN; if these are gaps, pass observed=$"):
        fill(scaled)
