"""Straight lines through time, pixel by pixel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xinpaint.core.dates import check_days
from xinpaint.core.task import Fill, Task
from xinpaint.core.tiling import Halo


@dataclass(frozen=True)
class LinearTime:
    """Linear interpolation between the observations before and after, weighted by days.

    Before the first and after the last observation of a pixel the nearest one is repeated: a
    line drawn beyond its ends soon leaves the range of the data. A pixel never observed is not
    answered. Every date of the cube must be at hand (halo None on time).
    """

    @property
    def halo(self) -> Halo:
        """All dates, no neighbours."""
        return Halo(None, 0, 0)

    def fill(self, task: Task) -> Fill:
        """Answer every target pixel that is observed on another date.

        Parameters
        ----------
        task : Task
            ``days`` in any order, finite, none twice.

        Raises
        ------
        SchemaError
            Where two dates are the same or a day is not finite.
        """
        check_days(task.days, "linear_time")
        order = np.argsort(task.days, kind="stable")
        before, days_before = _last_seen(task, order)
        mean = np.full(task.shape, np.nan, np.float32)
        after = np.full(task.shape[1:], np.nan, np.float32)
        day_after = np.full(task.shape[1:], np.inf)
        for date in order[::-1]:
            gap, day = task.target[date], task.days[date]
            mean[date][gap] = _between(
                (before[date][gap], days_before[date][gap]), (after[gap], day_after[gap]), day
            )
            seen = task.context[date]
            after[seen] = task.values[date][seen]
            day_after[seen] = day
        return Fill(mean)


def _last_seen(
    task: Task, order: NDArray[np.intp]
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Value and day of each pixel's last observation before each date; NaN and -inf if none."""
    values = np.empty(task.shape, np.float32)
    days = np.empty(task.shape, np.float64)
    value = np.full(task.shape[1:], np.nan, np.float32)
    day = np.full(task.shape[1:], -np.inf)
    for date in order:
        values[date], days[date] = value, day
        seen = task.context[date]
        value[seen] = task.values[date][seen]
        day[seen] = task.days[date]
    return values, days


def _between(
    before: tuple[NDArray[np.float32], NDArray[np.float64]],
    after: tuple[NDArray[np.float32], NDArray[np.float64]],
    day: float,
) -> NDArray[np.float64]:
    """The line at `day`; the one end that exists, or NaN where none does."""
    low, high = before[0].astype(np.float64), after[0].astype(np.float64)
    both = np.isfinite(before[1]) & np.isfinite(after[1])
    span = np.where(both, after[1] - before[1], 1.0)
    share = np.where(both, day - before[1], 0.0) / span
    line = low + share * (high - low)
    return np.where(both, line, np.where(np.isfinite(before[1]), low, high))
