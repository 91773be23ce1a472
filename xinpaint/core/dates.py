"""Which other dates a method of time looks at."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xinpaint.errors import SchemaError


def nearest(
    days: NDArray[np.float64], date: int, count: int, max_days: float | None = None
) -> tuple[int, ...]:
    """Find the dates nearest to one of them, by the time coordinate alone.

    Nothing but `days` decides, so every tile of a date chooses alike. In sorted time the answer
    lies within `count` dates before and after: a halo of `count` is enough.

    Parameters
    ----------
    days : float64 ``[t]``
        Any order, none twice.
    date : int
        Index of the date that is to be filled; never part of the answer.
    count : int
        At most so many, nearest first, the earlier first on ties.
    max_days : float, optional
        Not farther away than this.

    Returns
    -------
    tuple of int
        Indices into `days`.

    Examples
    --------
    >>> nearest(np.array([0.0, 16.0, 32.0, 40.0]), 1, 2)
    (0, 2)
    """
    away = np.abs(days - days[date])
    order = [int(k) for k in np.lexsort((days, away)) if k != date]
    if max_days is not None:
        order = [k for k in order if away[k] <= max_days]
    return tuple(order[:count])


def check_days(days: NDArray[np.float64], method: str) -> None:
    """Refuse days that are not finite, or the same twice.

    Raises
    ------
    SchemaError
        Names the method and the dates.
    """
    if not np.all(np.isfinite(days)):
        raise SchemaError(f"{method} needs a time for every date; found a missing one (NaT)")
    order = np.argsort(days, kind="stable")
    twice = np.flatnonzero(np.diff(days[order]) == 0)
    if len(twice):
        first, second = order[twice[0]], order[twice[0] + 1]
        raise SchemaError(
            f"{method} needs each time once; dates {first} and {second} are both day "
            f"{days[first]:g}: merge them first: "
            "ds.where(~ds.inpaint.gaps()).groupby('time').first()"
        )
