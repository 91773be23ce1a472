"""One method on one case; the rivals, and `convnp` with more and more dates."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from benchmarks.dates.cases import Case
from xinpaint.core import metrics
from xinpaint.core.dates import nearest
from xinpaint.core.task import Fill, Task
from xinpaint.io.weights import filler
from xinpaint.methods.base import Filler

#: Column of the report -> (method, options, other dates it is given).
RIVALS: dict[str, tuple[str, dict[str, Any], int]] = {
    "telea r=9": ("telea", {"radius": 9}, 0),
    "fillnodata": ("fillnodata", {}, 0),
    "biharmonic": ("biharmonic", {}, 0),
    "linear_time": ("linear_time", {}, 6),
    "harmonic": ("harmonic", {"order": 1}, 60),
    "histogram": ("histogram", {}, 6),
    "nspi": ("nspi", {}, 6),
    "regression": ("regression", {}, 6),
}
#: Row of the two images' own agreement, which is no method.
AGREEMENT = "(both images)"
#: A lie is shown to a hidden pixel by an observed one at most this many pixels away.
NEAR_LIE = 3
#: Other dates that `convnp` is given, one row each.
COUNTS = (0, 1, 2, 4, 6)


@dataclass(frozen=True)
class Row:
    """Scores of one method on one case, bands pooled (SSIM: mean over bands).

    `answered` is the share of hidden pixels the method answered; only these are scored.
    `planted` is the root mean square error where other dates lie, NaN where none do; `shown` is the
    same within :data:`NEAR_LIE` pixels of a lie that the target date's own pixels give away.
    """

    case: str
    kind: str
    method: str
    psnr: float
    ssim: float
    coverage: float
    answered: float
    hidden: int
    planted: float
    shown: float
    seconds: float


def methods(weights: str | None, rivals: bool = True) -> dict[str, tuple[Filler, int]]:
    """Every method by its column, with the number of other dates it is given."""
    found: dict[str, tuple[Filler, int]] = {}
    for name, (method, options, count) in (RIVALS if rivals else {}).items():
        found[name] = (filler(method, **options), count)
    for count in COUNTS:
        options = {"max_dates": count} if count else {"context": "space"}
        found[f"convnp K={count}"] = (filler("convnp", weights=weights, **options), count)
    return found


def score(case: Case, name: str, ready: Filler, count: int) -> Row:
    """Fill the case from its own date and the `count` nearest others, and score what was hidden."""
    task, date = _nearest(case, count)
    start = time.perf_counter()
    fill = ready.fill(task)
    seconds = time.perf_counter() - start
    low, width = case.scale()
    truth = (case.truth - low) / width
    mean = (fill.mean[date] - low) / width
    answered = np.isfinite(mean) & case.hidden
    known = case.hidden | case.context[case.date]
    image = np.where(answered, mean, np.where(known, truth, 0))
    similar = [
        metrics.ssim(np.where(k, t, 0), i, k) for t, i, k in zip(truth, image, known, strict=True)
    ]
    return Row(
        case.name,
        case.kind,
        name,
        metrics.psnr(truth, mean, answered),
        float(np.mean(similar)),
        _coverage(fill, date, truth, low, width, answered),
        float(answered.sum() / case.hidden.sum()),
        int(case.hidden.sum()),
        *_planted(case, truth, mean, answered),
        seconds,
    )


def agreement(case: Case) -> Row | None:
    """How well the image that the truth comes from tells what the target date itself saw.

    No filler can be expected to do better: it is the same comparison where nothing is missing.
    """
    if case.beside is None:
        return None
    low, width = case.scale()
    both = case.context[case.date] & np.isfinite(case.beside)
    pair = ((image - low) / width for image in (case.values[case.date], case.beside))
    nan = float("nan")
    psnr = metrics.psnr(*pair, both)
    return Row(case.name, case.kind, AGREEMENT, psnr, nan, nan, nan, int(both.sum()), nan, nan, nan)


def _nearest(case: Case, count: int) -> tuple[Task, int]:
    """The task without the dates that may not be looked at, and the target's new index."""
    whole = case.task()
    keep = sorted((case.date, *nearest(case.days, case.date, count)))
    parts = (np.ascontiguousarray(a[keep]) for a in (whole.values, whole.context, whole.target))
    return Task(*parts, days=case.days[keep]), keep.index(case.date)


def _coverage(
    fill: Fill,
    date: int,
    truth: NDArray[np.float64],
    low: NDArray[np.float64],
    width: NDArray[np.float64],
    answered: NDArray[np.bool_],
) -> float:
    if fill.std is None:
        return float("nan")
    mean, std = (fill.mean[date] - low) / width, fill.std[date] / width
    return metrics.coverage(truth, mean, std, answered)


def _planted(
    case: Case,
    truth: NDArray[np.float64],
    mean: NDArray[np.float64],
    answered: NDArray[np.bool_],
) -> tuple[float, float]:
    """Error where other dates lie, and there where the target date shows it."""
    if case.planted is None:
        return float("nan"), float("nan")
    shown = case.planted & case.context[case.date].all(0)
    near = ndimage.distance_transform_edt(~shown) <= NEAR_LIE
    found = []
    for where in (case.planted, case.planted & near):
        there = answered & where
        found.append(float(np.sqrt(np.mean((truth[there] - mean[there]) ** 2))))
    return found[0], found[1]
