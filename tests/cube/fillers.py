"""Small honest fillers for the cube tests: finite reach, and a trace of the global grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from xinpaint.core.task import Fill, Task
from xinpaint.core.tiling import Halo


@dataclass(frozen=True)
class WindowMean:
    """Mean of the context in a square window, plus a pattern tied to the global pixel index."""

    reach: int = 5
    pattern: float = 0.0
    has_std: bool = True

    @property
    def halo(self) -> Halo:
        return Halo(0, self.reach, self.reach)

    @property
    def attrs(self) -> dict[str, str]:
        return {"weights_sha256": "0" * 64}

    def fill(self, task: Task) -> Fill:
        size = (1, 1, 2 * self.reach + 1, 2 * self.reach + 1)
        values = np.where(task.context, task.values, 0).astype(np.float64)

        def blur(a: np.ndarray) -> np.ndarray:
            return ndimage.uniform_filter(a, size, mode="constant") * np.prod(size)

        weight = np.rint(blur(task.context.astype(np.float64)))
        y, x = np.mgrid[: task.shape[2], : task.shape[3]]
        grid = ((y + task.origin[0]) // 4 + (x + task.origin[1]) // 4) % 2
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = blur(values) / weight + self.pattern * grid
        mean[weight == 0] = np.nan
        return Fill(mean.astype(np.float32), np.sqrt(1 / np.maximum(weight, 1)).astype(np.float32))


@dataclass(frozen=True)
class PlaneMean:
    """Mean over the whole plane: a method without a finite reach, and without a std."""

    @property
    def halo(self) -> Halo:
        return Halo(0, None, None)

    def fill(self, task: Task) -> Fill:
        axes = (2, 3)
        total = np.where(task.context, task.values, 0).astype(np.float64).sum(axes, keepdims=True)
        with np.errstate(invalid="ignore"):
            mean = total / task.context.sum(axes, keepdims=True)
        return Fill(np.broadcast_to(mean, task.shape).astype(np.float32))


@dataclass(frozen=True)
class TimeMean:
    """Mean of the neighbouring dates (one before, one after), and their days' mean."""

    reach: int | None = 1

    @property
    def halo(self) -> Halo:
        return Halo(self.reach, 0, 0)

    def fill(self, task: Task) -> Fill:
        mean = np.full(task.shape, np.nan, np.float32)
        for date in range(task.shape[0]):
            near = slice(max(0, date - (self.reach or 99)), date + (self.reach or 99) + 1)
            seen = task.context[near]
            days = task.days[near, None, None, None] - task.days[date]
            total = np.where(seen, task.values[near] + days, 0).sum(0)
            with np.errstate(invalid="ignore"):
                mean[date] = total / seen.sum(0)
        return Fill(mean)
