"""What pictures are drawn of: one band and date of a cube, and cubes that lie on one grid."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xinpaint.core.task import FILLED, OBSERVED
from xinpaint.cube.masking import same
from xinpaint.errors import SchemaError


def plane_of(ds: xr.Dataset, band: str, time: int) -> NDArray[np.float64]:
    """One band and date as float64 ``[y x]``, north up; NaN where neither observed nor filled."""
    if band not in ds:
        hint = "choose others with bands=, or rename them with .rename"
        if band.endswith(("_std", "_provenance")):
            hint = "draw what a method that says how sure it is has filled, such as regression"
        there = sorted(map(str, ds.data_vars))
        raise SchemaError(f"no band {band!r} to draw; there are {there}: {hint}")
    array = ds[band]
    if "sample" in array.dims:
        raise SchemaError(f"{band!r} holds several draws; draw one at a time: .isel(sample=0)")
    if array.ndim not in (2, 3):
        raise SchemaError(f"{band!r} must have dims ((time,) y, x) to be drawn; found {array.dims}")
    array = _at(array, time)
    values = array.values.astype(np.float64)
    if f"{band}_provenance" in ds:
        code = _at(ds[f"{band}_provenance"], time)
        values[~np.isin(code.values, (OBSERVED, FILLED))] = np.nan
    nodata = array.attrs.get("nodata", array.attrs.get("_FillValue"))
    if nodata is not None:
        values[values == nodata] = np.nan
    return values if north_up(array) else values[::-1]


def _at(array: xr.DataArray, time: Any) -> xr.DataArray:
    """One date of ``[t y x]``; an array without dates is the same on all."""
    if array.ndim == 2:
        return array
    count, whole = len(array), isinstance(time, int | np.integer) and not isinstance(time, bool)
    if not whole or not -count <= time < count:
        raise SchemaError(
            f"time={time!r}, but {array.name!r} has {count} dates; wanted the index of one of "
            f"them, 0 to {count - 1}: that of a date is "
            f"ds.get_index({str(array.dims[0])!r}).get_loc('2020-01-31')"
        )
    return array[time]


def north_up(array: xr.DataArray) -> bool:
    """Whether the first row is the northernmost; yes where no coordinate tells."""
    y = array.coords.get(array.dims[-2])
    return y is None or y.size < 2 or bool(y[0] > y[-1])


def check_grids(
    cube: xr.Dataset, others: dict[str, xr.Dataset], band: str, *, near: bool = False
) -> None:
    """Raise SchemaError where a band of others, by title, lies on another grid or other dates.

    Rows may run the other way: pictures are drawn north up. With `near` single dates may differ:
    the truth of one is often what another satellite saw the day after.
    """
    for title, other in others.items():
        if band not in cube or band not in other:
            continue
        mine, its = cube[band], other[band]
        for a, b in zip(mine.dims[::-1], its.dims[::-1], strict=False):
            if near and a not in mine.dims[-2:] and mine.sizes[a] == its.sizes[b] == 1:
                continue
            left, right = (c[d] if d in c.coords else None for c, d in ((mine, a), (its, b)))
            agree = mine.sizes[a] == its.sizes[b]
            if agree and left is not None and right is not None:
                flip = a == mine.dims[-2] and north_up(mine) != north_up(its)
                agree = same(left, right[::-1] if flip else right)
            if not agree:
                raise SchemaError(
                    f"{band!r} is on different grids: {a!r} has {_run(mine, left, a)}, {b!r} of "
                    f"the {title} {_run(its, right, b)}: give both on one grid, for example with "
                    f"{title}.sel({b}=cube.{a})"
                )


def _run(array: xr.DataArray, coord: xr.DataArray | None, dim: object) -> str:
    count = f"{array.sizes[str(dim)]} entries"
    return count if coord is None else f"{count}, {coord.values[0]} … {coord.values[-1]}"
