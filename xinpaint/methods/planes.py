"""What the methods of space alone share: planes scaled to their context, holes never read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xinpaint.core.task import Fill, Task
from xinpaint.core.tiling import Halo
from xinpaint.errors import MethodError

#: Scaled planes float32 ``[n y x]``, their one context and one target bool ``[y x]`` -> answers.
Solve = Callable[[NDArray[np.float32], NDArray[np.bool_], NDArray[np.bool_]], NDArray[np.floating]]


def fill_planes(task: Task, solve: Solve, *, scaled: bool = True) -> Fill:
    """Fill each date and band by itself, in 0 to 1 of its own context or in its own unit.

    Planes of one date with the same context go to `solve` together. Scaling makes the answer the
    same in any unit; a constant (0.5) under everything that is not context keeps secrets secret.

    Parameters
    ----------
    task : Task
        Any unit.
    solve : callable
        Gets planes float32 ``[n y x]`` in 0 to 1 (unscaled ones are NaN outside the context),
        context and target bool ``[y x]``; answers
        ``[n y x]`` with NaN where it does not know. Called only where both are not empty.
    scaled : bool
        Whether planes are scaled. Its rounding depends on what a tile sees, so a method of finite
        reach, whose tiles are to agree bit for bit, goes without.

    Returns
    -------
    Fill
        NaN outside the target and in planes without context.
    """
    mean = np.full(task.shape, np.nan, np.float32)
    for date in range(task.shape[0]):
        groups: dict[bytes, list[int]] = {}
        for band in range(task.shape[1]):
            context = task.context[date, band]
            if context.any() and task.target[date, band].any():
                groups.setdefault(np.packbits(context).tobytes(), []).append(band)
        for bands in groups.values():
            context = task.context[date, bands[0]]
            target = task.target[date, bands]
            values, wanted = task.values[date, bands], np.any(target, axis=0)
            if scaled:
                planes, low, width = _scaled(values, context)
                answer = low + width * solve(planes, context, wanted).astype(np.float64)
            else:
                planes = np.where(context, values, np.float32(np.nan))
                answer = solve(planes, context, wanted).astype(np.float64)
            mean[date, bands] = np.where(target, answer, np.nan)
    return Fill(mean)


def _scaled(
    values: NDArray[np.float32], context: NDArray[np.bool_]
) -> tuple[NDArray[np.float32], NDArray[np.float64], NDArray[np.float64]]:
    """Planes in 0 to 1 of their context (0 throughout where it is flat), its low and width."""
    seen = values[:, context].astype(np.float64)
    low = seen.min(axis=1)
    width = seen.max(axis=1) - low
    planes = np.full(values.shape, 0.5, np.float32)
    planes[:, context] = (seen - low[:, None]) / np.where(width > 0, width, 1.0)[:, None]
    return planes, low[:, None, None], width[:, None, None]


def wide_enough(
    hole: NDArray[np.bool_], planes: NDArray[np.float32]
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Hole and planes, repeated at the end to three rows and columns where there are fewer.

    A plane of one or two makes OpenCV read memory that is not its own.
    """
    edges = [(0, max(0, 3 - size)) for size in hole.shape]
    padded = np.pad(hole.astype(np.uint8), edges, mode="edge")
    return padded, np.pad(planes, [(0, 0), *edges], mode="edge")


def halo_of(reach: int | None) -> Halo:
    """The halo of a method of space alone: `reach` pixels, or the whole plane."""
    return Halo(0, reach, reach)


def approximate(reach: int | None) -> dict[str, str]:
    """What the output says of itself where a method of unlimited reach was given a limit."""
    if reach is None:
        return {}
    return {"approximate": f"looks no further than {reach} pixels beyond a tile"}


def check_number(method: str, option: str, value: Any, *, least: float) -> None:
    """Refuse an option that is no finite number of at least `least`.

    Raises
    ------
    MethodError
        Names the method, the option and what was given.
    """
    is_number = isinstance(value, (int, float, np.integer, np.floating))
    is_other = isinstance(value, (bool, np.timedelta64))  # NumPy calls a time span an integer
    if is_other or not is_number or not np.isfinite(value) or value < least:
        raise MethodError(
            f"{method}({option}={value!r}): give a finite number of at least {least:g}"
        )


def check_reach(method: str, reach: object) -> None:
    """Refuse a reach that is neither None nor a whole number of pixels.

    Raises
    ------
    MethodError
        Names the method and what was given.
    """
    if reach is None:
        return
    if isinstance(reach, bool) or not isinstance(reach, (int, np.integer)) or reach < 0:
        raise MethodError(f"{method}(reach={reach!r}): give whole pixels, or None for no limit")
