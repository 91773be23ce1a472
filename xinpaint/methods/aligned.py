"""Arrays widened to a stride on the global grid, so that tiles and the whole see the same cells."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xinpaint.core.task import Task


def aligned(
    task: Task, dates: Sequence[int], stride: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Values (0 outside the context) and context (1.0 = observed) of some dates, widened.

    Parameters
    ----------
    task : Task
    dates : sequence of int
    stride : int
        Rows and columns start and end at multiples of it in the whole array.

    Returns
    -------
    values, context : float32 ``[len(dates) b y x]``
    """
    height, width = task.shape[2:]
    top, left = (place % stride for place in task.origin)
    below, right = (-(n + p) % stride for n, p in ((height, top), (width, left)))
    edges = ((0, 0), (0, 0), (top, below), (left, right))
    whole = list(dates) == list(range(task.shape[0]))
    picked: Any = slice(None) if whole else list(dates)  # a list of dates copies them
    context = task.context[picked]
    values = np.where(context, task.values[picked], np.float32(0))
    if top or left or below or right:
        values, context = np.pad(values, edges), np.pad(context, edges)
    return values, context.astype(np.float32)


def inside(task: Task, stride: int) -> tuple[slice, slice]:
    """Rows and columns of the task in its widened arrays."""
    top, left = (place % stride for place in task.origin)
    return slice(top, top + task.shape[2]), slice(left, left + task.shape[3])
