"""When each date of a cube was."""

from __future__ import annotations

from collections.abc import Hashable

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
        return dates.astype(np.float64)
    try:
        steps = [(date - dates[0]).total_seconds() / 86400 for date in dates]
    except (AttributeError, TypeError) as error:
        raise SchemaError(
            f"coordinate {time!r} has dtype {dates.dtype}; wanted dates: use "
            f"ds.assign_coords({time}=pandas.to_datetime(...))"
        ) from error
    return np.asarray(steps, np.float64)
