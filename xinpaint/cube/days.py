"""When each date of a cube was."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xinpaint.errors import SchemaError


def days_of(dataset: xr.Dataset, time: Hashable | None) -> NDArray[np.float64]:
    """Days since 1970-01-01 of each date; counts up from 0 where there is no coordinate."""
    if time is None:
        return np.zeros(1)
    if time not in dataset.coords:
        return np.arange(dataset.sizes[time], dtype=np.float64)
    dates = dataset[time].values
    if np.issubdtype(dates.dtype, np.datetime64):
        days = (dates - np.datetime64("1970-01-01")) / np.timedelta64(1, "D")
        return np.asarray(days, np.float64)
    if dates.dtype.kind in "iuf":
        if _read_as_dates(dates):
            raise SchemaError(
                f"coordinate {time!r} holds numbers such as {int(dates[0])}, which read as dates "
                "(YYYYMMDD), not as days: use ds.assign_coords("
                f"{time}=pandas.to_datetime(ds[{str(time)!r}].values.astype('int64').astype(str), "
                "format='%Y%m%d'))"
            )
        return dates.astype(np.float64)
    try:
        steps = [(date - dates[0]).total_seconds() / 86400 for date in dates]
    except (AttributeError, TypeError) as error:
        raise SchemaError(
            f"coordinate {time!r} has dtype {dates.dtype}; wanted dates: use "
            f"ds.assign_coords({time}=pandas.to_datetime(...))"
        ) from error
    return np.asarray(steps, np.float64)


def _read_as_dates(numbers: NDArray[Any]) -> bool:
    """Whether all numbers are YYYYMMDD of the years from 1900 to 2199."""
    if not np.isfinite(numbers).all() or (numbers != np.rint(numbers)).any():
        return False
    rest, day = np.divmod(numbers.astype(np.float64), 100)
    year, month = np.divmod(rest, 100)
    sane = (year >= 1900) & (year < 2200) & (month >= 1) & (month <= 12) & (day >= 1) & (day <= 31)
    return bool(sane.all())
