"""Bad cubes: each error names what was found and what to change, before any work starts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import xarray as xr

from tests.cube.fillers import TimeMean, WindowMean
from tests.cube.make import make
from xinpaint.cube.inpaint import gaps, inpaint
from xinpaint.cube.score import score
from xinpaint.errors import MethodError, SchemaError, XinpaintError

Case = tuple[Callable[[], Any], type[XinpaintError], str, str]


def fill(obj: Any, filler: Any = None, **options: Any) -> Any:
    return inpaint(obj, filler or WindowMean(3), name="window_mean", **options)


def ints() -> xr.Dataset:
    ds = make()
    for band in ds.data_vars.values():
        band.attrs.clear()
    return ds


def again(times: list[int]) -> xr.Dataset:
    return make(3).isel(time=times)


def with_inf() -> xr.Dataset:
    ds = make(dtype="float32")
    ds["nir"][0, 3, 3] = -np.inf
    return ds


def bad_nodata() -> xr.Dataset:
    ds = make()
    ds["nir"].attrs["nodata"] = "none"
    return ds


def strange_nodata() -> xr.Dataset:
    ds = ints()
    ds["red"].attrs["nodata"] = -999_999
    return ds


def flag(ds: xr.Dataset) -> xr.DataArray:
    return ds.red > 0


CASES: dict[str, Case] = {
    "not xarray": (lambda: fill(np.zeros((4, 4))), SchemaError, "ndarray", "xarray Dataset"),
    "no y and x": (
        lambda: fill(make().rename(y="a", x="b")),
        SchemaError,
        "'a'",
        r"rename .* to y and x",
    ),
    "no x": (lambda: fill(make().isel(x=0)), SchemaError, "none of them x", "rename"),
    "two y": (lambda: fill(make().rename(time="lat")), SchemaError, r"'lat', 'y'", "rename all"),
    "object dtype": (
        lambda: fill(make().astype(object)),
        SchemaError,
        "'red' has dtype object",
        r"\.astype",
    ),
    "complex dtype": (
        lambda: fill(make().astype("complex64")),
        SchemaError,
        "complex64",
        r"\.astype",
    ),
    "integers without nodata": (
        lambda: fill(ints()),
        SchemaError,
        r"'red' holds integers \(uint16: 0 to 65535\), but nothing says",
        r"attrs\['nodata'\]",
    ),
    "infinite values": (
        lambda: fill(with_inf()),
        SchemaError,
        "'nir' holds infinite",
        r"np\.isfinite",
    ),
    "empty dim": (
        lambda: fill(make().isel(y=slice(0, 0))),
        SchemaError,
        "'y' is empty",
        "selection",
    ),
    "no dates": (
        lambda: fill(make().isel(time=slice(0, 0))),
        SchemaError,
        "'time' is empty",
        "selection",
    ),
    "only masks": (
        lambda: fill(make() > 0),
        SchemaError,
        "no band to fill among",
        "numeric variable",
    ),
    "a strange dim": (
        lambda: fill(make().expand_dims(member=2)),
        SchemaError,
        r"\['member'\]",
        r"\.isel",
    ),
    "filled before": (
        lambda: fill(fill(make())),
        SchemaError,
        "'red_std', 'red_provenance', 'nir_std', 'nir_provenance' are there already",
        r"ds\.drop_vars\(\['red_std', 'red_provenance', 'nir_std', 'nir_provenance'\]\)",
    ),
    "unreadable nodata": (
        lambda: fill(bad_nodata()),
        SchemaError,
        "nodata='none'",
        "one number",
    ),
    "observed is not bool": (
        lambda: fill(make(), observed=make().red),
        SchemaError,
        "uint16",
        r"\(mask == 1\)",
    ),
    "observed is a numpy array": (
        lambda: fill(make(), observed=np.ones((40, 50), bool)),
        SchemaError,
        "ndarray",
        "DataArray",
    ),
    "observed of another size": (
        lambda: fill(make(), observed=flag(make()).isel(x=slice(9))),
        SchemaError,
        "9 entries along 'x'.* has 50",
        "reindex_like",
    ),
    "observed of another grid": (
        lambda: fill(make(), observed=flag(make()).assign_coords(x=flag(make()).x + 15)),
        SchemaError,
        "another grid: entry 0 of coordinate 'x' is 4000",
        "reproject",
    ),
    "observed upside down": (
        lambda: fill(make(), observed=flag(make()).isel(y=slice(None, None, -1))),
        SchemaError,
        "coordinate 'y'",
        "reindex_like",
    ),
    "observed of other dates": (
        lambda: fill(make(2), observed=flag(make(3)).isel(time=[0, 2])),
        SchemaError,
        "coordinate 'time'",
        "reindex_like",
    ),
    "observed lacks a band": (
        lambda: fill(make(), observed=make()[["nir"]] > 0),
        SchemaError,
        "'red', only",
        "add it",
    ),
    "where has a dim too many": (
        lambda: fill(make().isel(time=0, drop=True), where=flag(make())),
        SchemaError,
        "where= has a dim 'time'",
        "rename or select",
    ),
    "duplicate time": (
        lambda: fill(again([0, 1, 1]), TimeMean()),
        SchemaError,
        r"duplicate time 2003-07-17",
        "groupby",
    ),
    "unsorted time": (
        lambda: fill(again([0, 2, 1]), TimeMean()),
        SchemaError,
        "ascending",
        "sortby",
    ),
    "time without dates": (
        lambda: fill(make().drop_vars("time"), TimeMean()),
        SchemaError,
        "'time' has no coordinate",
        "assign_coords",
    ),
    "dates as text": (
        lambda: fill(make().assign_coords(time=["one", "two"])),
        SchemaError,
        "'time' has dtype <U3",
        "to_datetime",
    ),
    "missing date": (
        lambda: fill(
            make().assign_coords(time=np.array(["2003-01-01", "NaT"], "M8[ns]")), TimeMean()
        ),
        SchemaError,
        "NaT",
        "drop",
    ),
    "nothing observed to score": (
        lambda: score(make() * 0 + np.nan, {"w": WindowMean(3)}),
        SchemaError,
        "no observed",
        "nodata",
    ),
    "unknown mask to score": (
        lambda: score(make(), {"w": WindowMean(3)}, masks=["rain"]),
        MethodError,
        "rain",
        "clouds",
    ),
    "no method to score": (lambda: score(make(), {}), MethodError, "no method", "at least one"),
    "nodata that the type cannot hold": (
        lambda: fill(strange_nodata()),
        SchemaError,
        r"\(uint16: 0 to 65535\), but its nodata = -999999 is none of these",
        "a value in that range",
    ),
    "no variables at all": (
        lambda: fill(xr.Dataset()),
        SchemaError,
        "found no variables",
        r"wanted one a band, with dims \(\(time,\) y, x\)$",
    ),
    "bands among the coords": (
        lambda: fill(make().set_coords(list(make().data_vars))),
        SchemaError,
        "found no variables",
        "reset_coords",
    ),
    "gaps of integers without nodata": (
        lambda: gaps(ints()),
        SchemaError,
        "nothing says which are missing",
        "observed=",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_message_names_what_was_found_and_what_to_change(case: str) -> None:
    act, kind, found, change = CASES[case]
    with pytest.raises(kind, match=found) as caught:
        act()
    caught.match(change)


@pytest.mark.parametrize("case", ["integers without nodata", "object dtype", "empty dim"])
def test_lazy_cubes_fail_before_any_work(case: str) -> None:
    lazy = {
        "integers without nodata": ints,
        "object dtype": lambda: make().astype(object),
        "empty dim": lambda: make().isel(x=slice(0, 0)),
    }[case]().chunk()
    with pytest.raises(SchemaError):
        fill(lazy)


def test_duplicate_time_is_no_matter_without_time() -> None:
    made = fill(again([0, 1, 1]))
    np.testing.assert_array_equal(made.red.values[1], made.red.values[2])


@pytest.mark.parametrize("dim", ["y", "x"])
def test_rows_and_columns_in_no_order(dim: str) -> None:
    ds = make(1, 20, 24)
    size = ds.sizes[dim]
    ds = ds.assign_coords({dim: np.arange(size) * 30.0})
    mixed = ds.isel({dim: np.random.default_rng(0).permutation(size)})
    with pytest.raises(SchemaError, match=rf"coordinate '{dim}' goes up and down.*ds.sortby"):
        mixed.inpaint.telea()
    for fine in (ds, ds.isel({dim: slice(None, None, -1)})):
        assert "red_provenance" in fine.inpaint.telea()
