"""What pictures are drawn of: one band and date of a cube, and cubes that lie on one grid."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xinpaint.core.qa import quality_rule
from xinpaint.core.task import FILLED, OBSERVED
from xinpaint.cube import flags, masking
from xinpaint.cube.masking import Dims, same
from xinpaint.cube.schema import NAMES, Mask
from xinpaint.errors import SchemaError


def at(
    ds: xr.Dataset,
    bands: Sequence[str],
    time: int,
    *,
    also: Sequence[str] = (),
    observed: Mask = None,
    filled: bool = False,
) -> xr.Dataset:
    """One date of some bands: float64 (y, x), NaN where missing, north up; lazy where the cube is.

    Missing is what ``ds.inpaint.gaps()`` says; in a filled cube, what its provenance calls neither
    observed nor filled.

    Parameters
    ----------
    ds : Dataset
        From `bandwise`.
    bands : names
        At least one.
    time : int
        Index of the date.
    also : names
        Other variables to take: standard deviations, provenance.
    observed : bool DataArray or Dataset, optional
        As for ``ds.inpaint``.
    filled : bool
        Something filled it: its quality variables no longer tell what it holds.

    Raises
    ------
    SchemaError
        If a variable or the date is not there, a variable has other dims, or a mask does not fit.
    """
    when = {dim: time for name in (*bands, *also) for dim in _checked(ds, name, time).dims[:-2]}
    one = source(ds, bands, also=also).isel(when, missing_dims="ignore")
    planes = {name: _known(one[name], None) for name in also}
    for band in bands:
        said = _date(masking.resolve("observed", observed, ds[band], _dims(ds[band])), time)
        if said is None and f"{band}_provenance" in one:
            said = one[f"{band}_provenance"].isin((OBSERVED, FILLED)).data
        elif said is None and not filled:
            said = _date(flags.observed(one, one[band], _dims(one[band])), 0)
        planes[band] = _known(one[band], said)
    y, x = ds[bands[0]].dims[-2:]
    made = xr.Dataset(planes, {dim: ds[dim] for dim in (y, x) if dim in ds.coords})
    return made if north_up(made[bands[0]]) else made.isel({y: slice(None, None, -1)})


def source(ds: xr.Dataset, bands: Sequence[str], *, also: Sequence[str] = ()) -> xr.Dataset:
    """The variables of a cube that `at` reads, on all dates and as they are.

    Raises
    ------
    SchemaError
        If a variable is not there or has other dims.
    """
    names = [str(_checked(ds, name).name) for name in (*bands, *also)]
    codes = [name for name in (f"{band}_provenance" for band in bands) if name in ds]
    told = [str(name) for name in ds.variables if name == "observed" or quality_rule(str(name))]
    names += codes if len(codes) == len(bands) else [*codes, *told]
    return ds[list(dict.fromkeys(names))]


def loaded(*views: xr.Dataset) -> tuple[xr.Dataset, ...]:
    """The same in memory; whatever is lazy of them all is computed together, once."""
    from dask.base import compute

    made: tuple[xr.Dataset, ...] = compute(*views)
    return made


def _dims(array: xr.DataArray) -> Dims:
    return Dims(array.dims[0] if array.ndim == 3 else None, None, *array.dims[-2:])


def _date(mask: Any | None, time: int) -> Any | None:
    """One date of a mask ``[t b y x]`` of one band."""
    return None if mask is None else mask[time if len(mask) > 1 else 0, 0]


def _known(array: xr.DataArray, said: Any | None) -> xr.Variable:
    """A plane as float64, NaN where nothing is known; `said`: bool ``[y x]`` of what was seen."""
    parts = [array.variable]
    if said is not None:
        parts.append(xr.Variable(array.dims, said))
    made: xr.Variable = xr.apply_ufunc(
        _or_nan,
        *parts,
        kwargs={"nodata": masking.nodata_of(array)},
        dask="parallelized",
        output_dtypes=[np.float64],
        keep_attrs=True,
    )
    return made


def _or_nan(
    values: NDArray[Any], said: NDArray[np.bool_] | None = None, *, nodata: float | None
) -> NDArray[np.float64]:
    seen = masking.observed(values, said, nodata)
    return np.where(seen, values.astype(np.float64), np.nan)


def _checked(ds: xr.Dataset, name: str, time: Any = 0) -> xr.DataArray:
    """A variable; SchemaError where it cannot be drawn, or not of this date."""
    if name not in ds:
        hint = "choose others with bands=, or rename them with .rename"
        if name.endswith(("_std", "_provenance")):
            hint = "draw what a method that says how sure it is has filled, such as regression"
        there = sorted(map(str, ds.data_vars))
        raise SchemaError(f"no band {name!r} to draw; there are {there}: {hint}")
    array = ds[name]
    if "sample" in array.dims:
        raise SchemaError(f"{name!r} holds several draws; draw one at a time: .isel(sample=0)")
    if array.ndim not in (2, 3):
        raise SchemaError(f"{name!r} must have dims ((time,) y, x) to be drawn; found {array.dims}")
    count = len(array) if array.ndim == 3 else None  # without dates: the same on all
    whole = isinstance(time, int | np.integer) and not isinstance(time, bool)
    if count is not None and not (whole and -count <= time < count):
        raise SchemaError(
            f"time={time!r}, but {array.name!r} has {count} dates; wanted the index of one of "
            f"them, 0 to {count - 1}: that of a date is "
            f"ds.get_index({str(array.dims[0])!r}).get_loc('2020-01-31')"
        )
    return array


def date_labels(dates: xr.DataArray) -> list[str]:
    """What a picture calls each entry of a time coordinate: its day, or its number."""
    values = np.atleast_1d(dates.values)
    return [f"{v:.12g}" if values.dtype.kind in "iuf" else str(v)[:10] for v in values]


def date_of(array: xr.DataArray, time: int) -> str:
    """When a band was on one of its dates, to end a title with: " on 2004-04-29", " at time 12"."""
    single = (c for c in array.coords if str(c).lower() in NAMES["time"] and array[c].ndim == 0)
    dim = array.dims[0] if array.ndim == 3 else next(single, None)
    if dim is None:
        return ""
    date = array[dim][time] if array.ndim == 3 else array[dim]
    at = f"at {dim}" if date.dtype.kind in "iuf" else "on"
    return f" {at} {date_labels(date)[0]}"


def north_up(array: xr.DataArray) -> bool:
    """Whether the first row is the northernmost; yes where no coordinate tells."""
    y = array.coords.get(array.dims[-2])
    return y is None or y.size < 2 or bool(y[0] > y[-1])


def aspect_of(array: xr.DataArray, *, ground: bool = True) -> float:
    """Height of a pixel over its width on the ground, or of a unit of y over one of x."""
    y, x = (array.coords.get(d) for d in array.dims[-2:])
    if y is None or x is None or min(y.size, x.size) < 2:
        return 1.0
    ratio = abs(float(y[1] - y[0]) / float(x[1] - x[0])) if ground else 1.0
    if str(array.dims[-2]) in ("lat", "latitude"):
        ratio /= max(0.05, float(np.cos(np.deg2rad(float(y.mean())))))
    return ratio


def extent_of(array: xr.DataArray) -> tuple[float, float, float, float] | None:
    """Outer edges left, right, bottom, top; None where the coordinates do not tell."""
    y, x = (array.coords.get(d) for d in array.dims[-2:])
    if y is None or x is None or min(y.size, x.size) < 2:
        return None
    if not all(np.issubdtype(c.dtype, np.number) for c in (y, x)):
        return None
    half_x, half_y = float(x[1] - x[0]) / 2, abs(float(y[1] - y[0])) / 2
    left, right = float(x[0]) - half_x, float(x[-1]) + half_x
    return left, right, float(y.min()) - half_y, float(y.max()) + half_y


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
