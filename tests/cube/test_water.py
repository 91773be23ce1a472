"""Water of a cube: right, lazy, whatever the chunks, and labelled."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.cube.ponds import GONE, YEAR, cube, states
from xinpaint.cube import water
from xinpaint.errors import MethodError, SchemaError
from xinpaint.water import counts
from xinpaint.water.extent import Rule

BIMONTHLY = ("2003-01-05", "2003-01-21", "2003-02-06", "2003-04-11", "2003-04-27", "2003-06-30")
CHUNKS = ({"time": 1, "y": 5, "x": 7}, {"time": 4, "y": 12, "x": 4}, {"time": -1, "y": 1, "x": 15})


def months(dates):
    return np.array([int(date[5:7]) for date in dates])


def products(ds):
    made = {
        "index": water.index(ds, Rule("mndwi")),
        "extent": water.extent(ds),
        "otsu": water.extent(ds, Rule(threshold="otsu")),
        "occurrence": water.occurrence(ds),
        "month_counts": water.month_counts(ds),
        "seasonality": water.seasonality(ds, window=4, step=2),
    }
    return {name: made[name] for name in made}


def test_extent_is_what_was_made():
    truth = states(6)
    made = water.extent(cube(truth, BIMONTHLY))
    np.testing.assert_array_equal(made.extent, truth)
    assert made.extent.dtype == np.uint8
    assert made.extent.attrs["index"] == "mndwi"


def test_occurrence_is_a_share_of_what_was_seen():
    truth = states(6)
    truth[:, 0, 0] = 255
    made = water.occurrence(cube(truth, BIMONTHLY)).occurrence
    seen = (truth != 255).sum(0)
    wanted = np.where(seen > 0, (truth == 1).sum(0) / np.maximum(seen, 1), np.nan)
    np.testing.assert_allclose(made, wanted, rtol=1e-6)
    assert made.dtype == np.float32
    assert np.isnan(made[0, 0])


def test_month_counts_are_those_of_the_definition_in_any_order():
    truth, order = states(6), [3, 0, 5, 1, 4, 2]
    wanted = counts.count(truth, months(BIMONTHLY))
    for ds in (cube(truth, BIMONTHLY), cube(truth, BIMONTHLY).isel(time=order)):
        made = water.month_counts(ds)
        np.testing.assert_array_equal(made.wet, wanted.wet)
        np.testing.assert_array_equal(made.seen, wanted.seen)
        assert made.wet.dtype == made.seen.dtype == np.uint16
    assert made.month.values.tolist() == list(range(1, 13))


@settings(max_examples=15)
@given(
    st.integers(1, 12),
    st.integers(1, 5),
    st.lists(st.integers(0, 700), min_size=1, max_size=9, unique=True).map(sorted),
    st.integers(0, 99),
)
def test_seasonality_against_the_definition(window, step, days, seed):
    dates = np.datetime64("2002-11-03") + np.array(days)
    truth = states(len(days), 2, 3, seed=seed)
    index = dates.astype("datetime64[M]").astype(int)
    begins = range(index[0], index[-1] - window + 2, step)
    ds = cube(truth, dates.astype(str))
    if not len(begins):
        with pytest.raises(SchemaError, match="smaller window"):
            water.seasonality(ds, window=window, step=step)
        return
    made = water.seasonality(ds, window=window, step=step)
    assert made.time.values.astype("datetime64[M]").astype(int).tolist() == list(begins)
    for plane, seen, begin in zip(made.seasonality, made.months_seen, begins, strict=True):
        inside = (index >= begin) & (index < begin + window)
        parts = counts.count(truth[inside], index[inside] % 12 + 1)
        np.testing.assert_array_equal(plane, counts.of_year(parts))
        np.testing.assert_array_equal(seen, (parts.seen > 0).sum(0))


def test_a_month_that_nobody_saw_is_masked():
    truth = np.ones((12, 2, 2), np.uint8)
    truth[5:8] = 255  # cloud from June to August
    made = water.seasonality(cube(truth, YEAR))
    assert (made.seasonality.sel(time="2003-06-01") == 255).all()
    assert (made.seasonality.sel(time="2003-05-01") == 2).all()
    assert made.months_seen[:, 0, 0].values.tolist() == [3, 3, 3, 2, 1, 0, 1, 2, 3, 3]


@pytest.mark.parametrize("chunks", CHUNKS)
def test_lazy_and_the_same_whatever_the_chunks(chunks):
    ds = cube(states(6), BIMONTHLY)
    for name, lazy in products(ds.chunk(chunks)).items():
        assert all(v.chunks is not None for v in lazy.data_vars.values()), name
        xr.testing.assert_identical(lazy.compute(scheduler="synchronous"), products(ds)[name])


def test_nothing_is_computed_before_it_is_asked_for():
    import dask.array as da

    ds = cube(states(6), BIMONTHLY).chunk({"time": 1})

    def fail(block):
        raise AssertionError("computed")

    lazy = {
        b: (ds[b].dims, da.map_blocks(fail, ds[b].data, dtype=ds[b].dtype, meta=ds[b].data._meta))
        for b in ds.data_vars
    }
    stuck = ds.assign({b: xr.Variable(*v, ds[b].attrs) for b, v in lazy.items()})
    for made in products(stuck).values():
        assert made.data_vars


def test_labels_and_inputs_stay():
    ds = cube(states(6), BIMONTHLY)
    before = ds.copy(deep=True)
    for name, made in products(ds).items():
        assert made.attrs["title"] == "ponds"
        xr.testing.assert_equal(made.y, ds.y)
        assert made.y.attrs == ds.y.attrs
        assert made.spatial_ref.attrs == ds.spatial_ref.attrs
        assert all(v.encoding["grid_mapping"] == "spatial_ref" for v in made.values()), name
        assert ("sun" in made.coords) == (name in ("index", "extent", "otsu"))
    xr.testing.assert_identical(ds, before)


def test_without_time():
    truth = states(1)
    made = water.extent(cube(truth, YEAR[:1]).isel(time=0))
    assert made.extent.dims == ("y", "x")
    np.testing.assert_array_equal(made.extent, truth[0])


def test_dims_keep_their_order():
    ds = cube(states(6), BIMONTHLY)
    turned = water.extent(ds.transpose("x", "y", "time")).extent
    assert turned.dims == ("x", "y", "time")
    xr.testing.assert_equal(turned.transpose("time", "y", "x"), water.extent(ds).extent)
    assert water.seasonality(ds.transpose("x", "y", "time")).seasonality.dims == ("time", "y", "x")


@pytest.mark.filterwarnings("ignore:Consolidated metadata")
@pytest.mark.filterwarnings("ignore:The data type")
def test_flags_survive_zarr(tmp_path):
    ds = cube(states(6), BIMONTHLY).chunk({"y": 6})
    for product, codes in (("extent", [0, 1, 255]), ("seasonality", [0, 1, 2, 255])):
        made = getattr(water, product)(ds)
        made.to_zarr(tmp_path / product)
        back = xr.open_zarr(tmp_path / product, decode_coords="all")
        assert back[product].dtype == np.uint8
        np.testing.assert_array_equal(back[product], made[product])
        assert list(back[product].attrs["flag_values"]) == codes
        assert back[product].attrs["flag_meanings"] == made[product].attrs["flag_meanings"]
        assert "spatial_ref" in back.coords
    assert back.months_seen.dtype == np.uint8
    np.testing.assert_array_equal(back.time, made.time)


def test_otsu_follows_each_date():
    truth = states(2)
    ds = cube(truth, YEAR[:2])
    for band in ("green", "swir1"):  # haze lifts both bands of the second date: all below 0.2
        haze = xr.DataArray(np.int16([0, 3000]), dims="time")
        ds[band] = (ds[band] + haze).where(ds[band] != GONE, GONE).assign_attrs(nodata=GONE)
    fixed, found = water.extent(ds, Rule(threshold=0.3)), water.extent(ds, Rule(threshold="otsu"))
    np.testing.assert_array_equal(found.extent, truth)
    assert (fixed.extent[1] != 1).all()
    assert found.extent.attrs["threshold"] == "otsu"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda ds: ds.isel(time=[1, 0, 2, 3, 4, 5]), "sortby"),
        (lambda ds: ds.isel(time=0), "wanted a time dim"),
        (lambda ds: ds.drop_vars("time"), "assign_coords"),
        (lambda ds: ds.assign_coords(time=np.arange(6.0)), "to_datetime"),
        (lambda ds: ds.isel(time=[0, 1]), "from 2003-01 to 2003-01, 1 months; window=3"),
        (lambda ds: ds.assign_coords(time=[*ds.time.values[:5], np.datetime64("NaT")]), "NaT"),
    ],
)
def test_bad_time(change, message):
    ds = change(cube(states(6), BIMONTHLY))
    with pytest.raises(SchemaError, match=message):
        water.seasonality(ds)


@pytest.mark.parametrize("options", [{"window": 0}, {"window": 13}, {"step": 0}])
def test_bad_options(options):
    with pytest.raises(MethodError, match="wanted"):
        water.seasonality(cube(states(6), BIMONTHLY), **options)
