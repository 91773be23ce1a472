"""Local linear histogram matching to another date (USGS, phase two)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xinpaint.core.dates import check_days
from xinpaint.core.task import Fill, Task
from xinpaint.core.tiling import Halo
from xinpaint.methods.others import (
    alike,
    box_sum,
    centred,
    check_dates,
    check_whole,
    check_window,
    fill_from_others,
)

#: Beyond this gain, or below its inverse, the window only says by how much the mean moved.
MAX_GAIN = 3.0
#: A window whose variance is less than this part of the squared range of its plane is flat.
_FLAT = 1e-12


@dataclass(frozen=True)
class Histogram:
    """Each band of the nearest date that saw the pixel, matched in mean and spread around it.

    The window around a missing pixel grows until it holds `common` pixels that both dates saw.
    Over these, gain = the ratio of the standard deviations and bias = what makes the means
    agree; a gain outside 1/3 to 3 is replaced by 1. Where even the largest window holds too few,
    the next nearest date is asked; where none is left, the pixel is not answered.

    Parameters
    ----------
    max_dates : int
        Other dates to consider, nearest in time first. Also the halo in time.
    max_days : float, optional
        Consider no date farther away than this.
    window : int
        Side of the largest window, odd, in pixels.
    common : int
        Pixels seen on both dates that a window must hold.

    Raises
    ------
    MethodError
        Where an option is not a sensible number.

    References
    ----------
    P. Scaramuzza, J. Barsi, "Landsat 7 scan line corrector-off gap-filled product development",
    Proceedings of Pecora 16 (2005).
    """

    max_dates: int = 6
    max_days: float | None = None
    window: int = 31
    common: int = 144

    def __post_init__(self) -> None:
        check_dates("histogram", self.max_dates, self.max_days)
        check_window("histogram", self.window, least=3)
        check_whole("histogram", "common", self.common, least=2)

    @property
    def halo(self) -> Halo:
        """`max_dates` dates and half a window."""
        return Halo(self.max_dates, self.window // 2, self.window // 2)

    def fill(self, task: Task) -> Fill:
        """Answer every target pixel that one of the dates saw, with enough pixels around it.

        Parameters
        ----------
        task : Task
            ``days`` in any order, finite, none twice.

        Raises
        ------
        SchemaError
            Where two dates are the same or a day is not finite.
        """
        check_days(task.days, "histogram")
        return fill_from_others(task, self.max_dates, self.max_days, self._match)

    def _match(
        self, task: Task, date: int, other: int, wanted: NDArray[np.bool_]
    ) -> NDArray[np.floating]:
        matched = np.full(wanted.shape, np.nan)
        both = task.context[date] & task.context[other]
        for bands in alike(both):
            mask = both[bands[0]]
            half = self._half(mask, np.any(wanted[bands], axis=0))
            if not half.any():
                continue
            for band in bands:
                here, middle = centred(task.values[date, band], mask)
                there, offset = centred(task.values[other, band], mask)
                for size in np.unique(half[half > 0]):
                    at = half == size
                    gain, means = _moments(here, there, mask, int(size), at)
                    away = task.values[other, band][at].astype(np.float64) - offset - means[1]
                    matched[band][at] = middle + means[0] + gain * away
        return matched

    def _half(self, mask: NDArray[np.bool_], wanted: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Half side of the smallest window with enough common pixels; 0 where there is none."""
        half = np.zeros(mask.shape, np.int64)
        open_ = wanted.copy()
        seen = mask.astype(np.float64)
        for size in range(1, self.window // 2 + 1):
            if (2 * size + 1) ** 2 - 1 < self.common:  # the pixel itself is not among them
                continue
            enough = open_ & (np.rint(box_sum(seen, size)) >= self.common)
            half[enough] = size
            open_ &= ~enough
            if not open_.any():
                break
        return half


def _moments(
    here: NDArray[np.float64],
    there: NDArray[np.float64],
    mask: NDArray[np.bool_],
    half: int,
    at: NDArray[np.bool_],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Gain ``[p]`` and means ``[2 p]`` of both dates over the windows of the pixels `at`.

    `here` and `there` are ``[y x]``, centred, 0 outside `mask`.
    """
    count = np.rint(box_sum(mask.astype(np.float64), half)[at])
    means, spreads = [], []
    for plane in (here, there):
        mean = box_sum(plane, half)[at] / count
        spread = box_sum(plane**2, half)[at] / count - mean**2
        width = np.ptp(plane[mask])
        means.append(mean)
        spreads.append(np.where(spread > _FLAT * width**2, spread, 0.0))
    safe = np.where(spreads[1] > 0, spreads[1], 1.0)
    gain = np.sqrt(np.where(spreads[1] > 0, spreads[0] / safe, 0.0))
    usual = (gain >= 1 / MAX_GAIN) & (gain <= MAX_GAIN)
    return np.where(usual, gain, 1.0), np.stack(means)
