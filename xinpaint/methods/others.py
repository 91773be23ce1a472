"""What the methods of other dates share: the walk from the nearest date outwards, box sums."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from xinpaint.core.dates import nearest
from xinpaint.core.task import Fill, Task
from xinpaint.errors import MethodError
from xinpaint.methods.planes import check_number

#: Task, date, other date, wanted bool ``[b y x]`` -> answers ``[b y x]``, NaN for "not from there".
Answer = Callable[[Task, int, int, NDArray[np.bool_]], NDArray[np.floating]]


def fill_from_others(task: Task, max_dates: int, max_days: float | None, answer: Answer) -> Fill:
    """Ask other dates for each target pixel, the nearest first, until one can answer.

    Parameters
    ----------
    task : Task
        Days finite, none twice.
    max_dates, max_days
        See `xinpaint.core.dates.nearest`.
    answer : callable
        Asked only for target pixels that the other date saw and no nearer date has answered.

    Returns
    -------
    Fill
        NaN where no date could answer, and outside the target.
    """
    mean = np.full(task.shape, np.nan, np.float32)
    for date in range(task.shape[0]):
        left = task.target[date].copy()
        for other in nearest(task.days, date, max_dates, max_days):
            wanted = left & task.context[other]
            if not wanted.any():
                continue
            said = answer(task, date, other, wanted)
            known = wanted & np.isfinite(said)
            mean[date][known] = said[known]
            left &= ~known
    return Fill(mean)


def alike(masks: NDArray[np.bool_]) -> list[list[int]]:
    """Bands that share one mask, of ``[b y x]``; in practice often all of them."""
    groups: dict[bytes, list[int]] = {}
    for band, mask in enumerate(masks):
        groups.setdefault(np.packbits(mask).tobytes(), []).append(band)
    return list(groups.values())


def box_sum(plane: NDArray[np.float64], half: int) -> NDArray[np.float64]:
    """Sums over the square of ``2 half + 1`` pixels around each; nothing beyond the edge.

    Parameters
    ----------
    plane : float64 ``[y x]``
        About 0: the sums run along lines, and rounding stays in them.
    half : int
        Pixels on each side.
    """
    side = 2 * half + 1
    means = ndimage.uniform_filter(plane, side, mode="constant", cval=0.0)
    return np.asarray(means * side**2, np.float64)


def centred(
    plane: NDArray[np.float32], mask: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], float]:
    """A plane ``[y x]`` about the middle of its range under `mask`, 0 elsewhere; and that middle.

    The middle, not the mean: a constant becomes exactly 0.
    """
    seen = plane[mask].astype(np.float64)
    middle = float(seen.min() / 2 + seen.max() / 2) if len(seen) else 0.0
    around = np.zeros(plane.shape)
    around[mask] = seen - middle
    return around, middle


def check_dates(method: str, max_dates: object, max_days: object) -> None:
    """Refuse a `max_dates` that is no whole number from 1, `max_days` that is no number of days.

    Raises
    ------
    MethodError
        Names the method, the option and what was given.
    """
    check_whole(method, "max_dates", max_dates, least=1)
    check_max_days(method, max_days)


def check_max_days(method: str, max_days: object) -> None:
    """Refuse a `max_days` that is neither None nor a number of days.

    Raises
    ------
    MethodError
        Names the method and what was given.
    """
    if isinstance(max_days, (timedelta, np.timedelta64)) or max_days == np.inf:
        raise MethodError(
            f"{method}(max_days={max_days!r}): give days as a number, or None for no limit"
        )
    if max_days is not None:
        check_number(method, "max_days", max_days, least=0)


def check_whole(method: str, option: str, value: object, *, least: int) -> None:
    """Refuse an option that is no whole number of at least `least`.

    Raises
    ------
    MethodError
        Names the method, the option and what was given.
    """
    is_other = isinstance(value, (bool, np.timedelta64))  # NumPy calls a time span an integer
    is_whole = isinstance(value, (int, np.integer)) and not is_other
    if not is_whole or value < least:  # type: ignore[operator]
        raise MethodError(f"{method}({option}={value!r}): give a whole number of at least {least}")


def check_window(method: str, window: int, *, least: int) -> None:
    """Refuse a window that is no odd number of pixels.

    Raises
    ------
    MethodError
        Names the method and what was given.
    """
    check_whole(method, "window", window, least=least)
    if window % 2 == 0:
        raise MethodError(f"{method}(window={window!r}): give an odd number of pixels")
