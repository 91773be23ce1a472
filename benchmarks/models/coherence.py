"""Do draws hang together as the truth does: spatial autocorrelation inside gaps."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from benchmarks.models.runs import Run
from benchmarks.quality.scenes import Case
from benchmarks.quality.scoring import answer
from xinpaint.core.coherent import draw

#: Pixels between two values that are compared.
LAGS = (1, 2, 3, 4, 6, 8)
#: Draws a case, and the kinds of gap that are looked into.
COUNT, WHERE = 4, ("real", "clouds")
#: What is compared: the values, and what is left of them beside the net's mean.
VALUES, DEVIATIONS = "values", "deviations from the mean"


@dataclass(frozen=True)
class Agreement:
    """Autocorrelation at each of `LAGS`, mean over bands, of the truth, of draws, of the mean.

    The mean has no deviations: there `mean` is empty.
    """

    method: str
    scene: str
    mask: str
    of: str
    truth: tuple[float, ...]
    draws: tuple[float, ...]
    mean: tuple[float, ...]


def autocorrelation(field: NDArray[np.float64], inside: NDArray[np.bool_], lag: int) -> float:
    """Correlation of values ``[y x]`` `lag` pixels apart along y and x, both inside; NaN: none."""
    pairs = []
    for values, ok in ((field, inside), (field.T, inside.T)):
        both = ok[lag:] & ok[:-lag]
        pairs.append((values[:-lag][both], values[lag:][both]))
    one, two = (np.concatenate(parts) for parts in zip(*pairs, strict=True))
    if one.size < 2 or not one.std() or not two.std():
        return float("nan")
    return float(np.corrcoef(one, two)[0, 1])


def _profile(image: NDArray[np.float64], inside: NDArray[np.bool_]) -> tuple[float, ...]:
    """Autocorrelation at every lag of an image ``[b y x]``, mean over bands."""
    return tuple(
        fmean(autocorrelation(v, ok, lag) for v, ok in zip(image, inside, strict=True))
        for lag in LAGS
    )


def agreements(cases: Iterable[Case], run: Run, count: int = COUNT) -> list[Agreement]:
    """Two of each case: of the values and of the deviations."""
    found = []
    for case in cases:
        hidden = case.task.target[0]
        told = answer(case, run.filler())
        assert told.std is not None
        drawn = [draw(told.mean, told.std, (0, k, 0)) for k in range(count)]
        names = (run.method, case.scene.name, case.kind)
        for of, centre in ((VALUES, np.zeros_like(told.mean)), (DEVIATIONS, told.mean)):
            each = [_profile(one - centre, hidden) for one in drawn]
            draws = tuple(fmean(values) for values in zip(*each, strict=True))
            mean = _profile(told.mean, hidden) if of == VALUES else ()
            found.append(Agreement(*names, of, _profile(told.truth - centre, hidden), draws, mean))
    return found


def ratio(found: Iterable[Agreement], method: str, of: str) -> float:
    """Autocorrelation of draws over that of the truth, both meaned over lags, scenes and gaps."""
    some = [a for a in found if (a.method, a.of) == (method, of)]
    return fmean(v for a in some for v in a.draws) / fmean(v for a in some for v in a.truth)
