"""Local regressions on other dates, believed by how well they explain this one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from xinpaint.core.dates import check_days, nearest
from xinpaint.core.task import Fill, Task
from xinpaint.core.tiling import Halo
from xinpaint.methods.aligned import aligned, inside
from xinpaint.methods.others import check_dates


@dataclass(frozen=True)
class LocalRegression:
    """Ridge regression of each band on all bands of other dates, in windows of 20 pixels.

    Each other date is first moved by the part of a pixel that it lies off, as measured around each
    pixel (:mod:`xinpaint.nets.align`); what the prediction misses in neighbours that look like the
    pixel on the other date is added (:mod:`xinpaint.nets.similar`).

    Every other date that saw a pixel predicts it; the predictions are averaged with weights
    1 / (mean square of their residuals around the pixel)², so that a hazy or changed date is
    outvoted where it lies. The average is smoothed as far as that helps where the truth is known
    (:mod:`xinpaint.nets.smooth`). No training, no weights; the base that the spatio-temporal net
    corrects. A pixel that no other date saw, or without context nearby, is not answered.

    Parameters
    ----------
    max_dates : int
        How many other dates, the nearest in time.
    max_days : float, optional
        None of them farther away than this.

    Raises
    ------
    MethodError
        At construction, if an option makes no sense.
    """

    max_dates: int = 6
    max_days: float | None = None
    has_std = True

    def __post_init__(self) -> None:
        check_dates("regression", self.max_dates, self.max_days)

    @property
    def halo(self) -> Halo:
        """As many dates as may be asked; windows, interpolation, residuals and shifts in space."""
        from xinpaint.nets.align import REACH as ALIGNED
        from xinpaint.nets.regression import REACH
        from xinpaint.nets.smooth import REACH as SMOOTHED

        reach = REACH + ALIGNED + SMOOTHED
        return Halo(self.max_dates, reach, reach)

    def fill(self, task: Task) -> Fill:
        """Mean, and the standard deviation that residuals and the dates' disagreement tell.

        Raises
        ------
        SchemaError
            If a day is missing or there twice.
        """
        check_days(task.days, "regression")
        mean = np.full(task.shape, np.nan, np.float32)
        std = np.full(task.shape, np.nan, np.float32)
        for date in range(task.shape[0]):
            others = nearest(task.days, date, self.max_dates, self.max_days)
            told = [k for k in sorted(others) if task.context[k].any()]
            target = task.target[date]
            if told and target.any() and task.context[date].any():
                answer = _answer(task, date, told)
                mean[date], std[date] = (np.where(target, part, np.nan) for part in answer)
        return Fill(mean, std)


def _answer(task: Task, date: int, others: list[int]) -> tuple[Any, Any]:
    """One date ``[b y x]`` from its regressions on the others."""
    import torch

    from xinpaint.nets.other import answer
    from xinpaint.nets.ridge import CELL

    with torch.inference_mode():
        values, context = (torch.from_numpy(a) for a in aligned(task, [date], CELL))
        told = []
        for other in others:
            theirs, seen = (torch.from_numpy(a) for a in aligned(task, [other], CELL))
            told.append((theirs, seen))
        evidence = answer(values, context, told)
        lost = torch.full_like(values, torch.nan)
        mean = torch.where(evidence.seen, evidence.mean, lost)
        std = torch.where(evidence.seen, (evidence.error + evidence.apart).sqrt(), lost)
    rows, columns = inside(task, CELL)
    return mean.numpy()[0, :, rows, columns], std.numpy()[0, :, rows, columns]
