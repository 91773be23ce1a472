"""When each date of a cube was."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from xinpaint.errors import SchemaError


def days_of(dataset: xr.Dataset, time: Hashable | None) -> NDArray[np.float64]:
    """Days since 1970-01-01 of each date; counts up from 0 where there is no coordinate."""
    if time is None:
        return np.zeros(1)
    if time not in dataset.coords:
        return np.arange(dataset.sizes[time], dtype=np.float64)
    _check_index(dataset, time)
    dates = dataset[time].values
    if np.issubdtype(dates.dtype, np.datetime64):
        days = (dates - np.datetime64("1970-01-01")) / np.timedelta64(1, "D")
        return np.asarray(days, np.float64)
    if dates.dtype.kind in "iuf":
        if found := _no_days(dates):
            what, how = found
            values = f"ds[{str(time)!r}].values"
            raise SchemaError(
                f"coordinate {time!r} holds numbers such as {int(dates[0])}, which read as {what}, "
                f"not as days: use ds.assign_coords({time}=pandas.to_datetime("
                f"{how.format(values=values)}))"
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


def _check_index(dataset: xr.Dataset, time: Hashable) -> None:
    """Refuse pandas' periods and times of a zone, which are no instants for NumPy."""
    index = dataset.indexes.get(time)
    if isinstance(index, pd.PeriodIndex):
        found, how = "periods", "to_timestamp()"
    elif isinstance(index, pd.DatetimeIndex) and index.tz is not None:
        found, how = f"times of a zone ({index.tz})", "tz_convert(None)"
    elif isinstance(index, pd.TimedeltaIndex):
        found, how = "time spans", "values + numpy.datetime64('1970-01-01')"
    else:
        return
    raise SchemaError(
        f"coordinate {time!r} holds {found}; wanted plain dates: use "
        f"ds.assign_coords({time}=ds.indexes[{str(time)!r}].{how})"
    )


def _no_days(numbers: NDArray[Any]) -> tuple[str, str] | None:
    """What numbers are that are no days, if all are such, and how pandas reads `{values}`."""
    if not np.isfinite(numbers).all() or (numbers != np.rint(numbers)).any():
        return None
    if _read_as_dates(numbers):
        return "dates (YYYYMMDD)", "{values}.astype('int64').astype(str), format='%Y%m%d'"
    year, day = np.divmod(numbers.astype(np.float64), 1000)
    if ((year >= 1900) & (year < 2200) & (day >= 1) & (day <= 366)).all():
        return "days of years (YYYYDDD)", "{values}.astype('int64').astype(str), format='%Y%j'"
    for unit, word, least in (("ns", "nano", 1e17), ("us", "micro", 1e14), ("ms", "milli", 1e11)):
        if (np.abs(numbers) >= least).all():
            return f"{word}seconds", f"{{values}}, unit={unit!r}"
    return ("seconds", "{values}, unit='s'") if (np.abs(numbers) >= 1e8).all() else None


def _read_as_dates(numbers: NDArray[Any]) -> bool:
    """Whether all whole numbers are YYYYMMDD of the years from 1900 to 2199."""
    rest, day = np.divmod(numbers.astype(np.float64), 100)
    year, month = np.divmod(rest, 100)
    sane = (year >= 1900) & (year < 2200) & (month >= 1) & (month <= 12) & (day >= 1) & (day <= 31)
    return bool(sane.all())
