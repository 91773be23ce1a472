"""Dates, months and windows of months on arrays ``[t y x]``, lazy where these are."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xinpaint.cube.elementwise import each, full_like, stack
from xinpaint.cube.spectra import Spectra
from xinpaint.errors import SchemaError
from xinpaint.water import counts
from xinpaint.water.extent import NO_DATA, WATER


def dates(states: Any, which: Any = slice(None)) -> tuple[Any, Any]:
    """Number of dates ``[y x]``, uint16, on which a pixel was wet and seen."""
    if not isinstance(which, slice) and len(which) == 0:
        nothing = full_like(states[0].astype(np.uint16), 0)
        return nothing, nothing
    part = states[which]
    wet, seen = part == WATER, part != NO_DATA
    return wet.sum(0, dtype=np.uint16), seen.sum(0, dtype=np.uint16)


def monthly(states: Any, months: NDArray[np.int64]) -> list[Any]:
    """One composite ``[y x]`` for each month from the first to the last, seen or not."""
    made = []
    for month in range(int(months[0]), int(months[-1]) + 1):
        wet, seen = dates(states, np.flatnonzero(months == month))
        made.append(each(counts.month_state, wet, seen, dtype=np.uint8))
    return made


def windows(composites: Sequence[Any], begins: Sequence[int], length: int) -> tuple[Any, Any]:
    """Number of months ``[window y x]``, uint8, that were wet and seen in each window."""
    wet = [(month == WATER).astype(np.uint8) for month in composites]
    seen = [(month != NO_DATA).astype(np.uint8) for month in composites]

    def total(planes: Sequence[Any]) -> Any:
        return stack([sum(planes[b + 1 : b + length], planes[b]) for b in begins])

    return total(wet), total(seen)


def time_of(spectra: Spectra) -> Hashable:
    """Name of the time dim; SchemaError where there is none."""
    if spectra.dims.time is None:
        raise SchemaError(
            f"found dims {list(spectra.dims.present)}; wanted a time dim: stack the dates with "
            "xr.concat(scenes, dim='time')"
        )
    return spectra.dims.time


def months_of(spectra: Spectra) -> NDArray[np.int64]:
    """Months since the year 0 of each date, int64 ``[t]``; SchemaError where there are no dates."""
    time, dataset = time_of(spectra), spectra.dataset
    if time not in dataset.coords:
        raise SchemaError(f"{time!r} has no dates; assign them with ds.assign_coords({time}=...)")
    if not np.isfinite(spectra.days).all():
        raise SchemaError(f"coordinate {time!r} holds NaT or NaN; drop those dates first")
    try:
        dates = dataset[time].dt
    except (AttributeError, TypeError) as error:
        raise SchemaError(
            f"coordinate {time!r} has dtype {dataset[time].dtype}; wanted dates: use "
            f"ds.assign_coords({time}=pandas.to_datetime(...))"
        ) from error
    return np.asarray(dates.year * 12 + dates.month - 1, np.int64)


def starts(spectra: Spectra, months: NDArray[np.int64], window: int, step: int) -> list[int]:
    """First month of each whole window; SchemaError where dates are out of order or too few."""
    time = spectra.dims.time
    if np.any(np.diff(spectra.days) < 0):
        raise SchemaError(f"{time!r} is not in ascending order; use ds.sortby({str(time)!r})")
    first, last = int(months[0]), int(months[-1])
    if last - first + 1 < window:
        names = [f"{m // 12}-{m % 12 + 1:02d}" for m in (first, last)]
        raise SchemaError(
            f"the dates run from {names[0]} to {names[1]}, {last - first + 1} months; window="
            f"{window} needs at least {window}: add dates, or take a smaller window"
        )
    return list(range(first, last - window + 2, step))
