"""Fill, tell classes, compare with the truth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.water.cases import Case, days
from xinpaint.core import classes
from xinpaint.core.task import Task
from xinpaint.methods.base import Classifier, Filler
from xinpaint.water.counts import seasonality
from xinpaint.water.extent import NO_DATA, WATER, classify
from xinpaint.water.indices import red_swir

#: How the months come to whoever tells the classes.
NO_FILL, TRUTH = "no fill", "the truth"


@dataclass(frozen=True, eq=False)
class Row:
    """One case, filled in one way, told by one teller."""

    scene: str
    cloud: float
    missing: float
    fill: str
    teller: str
    table: NDArray[np.int64]
    seen_table: NDArray[np.int64]
    reliability: NDArray[np.float64] | None


def score(case: Case, fillers: Mapping[str, Filler], net: Classifier) -> list[Row]:
    """Rows of one case: every fill, told by the net and by counting."""
    rows = []
    for fill in (NO_FILL, *fillers, TRUTH):
        values, context = _months(case, fill, fillers)
        task = Task(values, context, np.zeros_like(context), days(case))
        p = net.classify(task)
        told = classes.reliability(p, case.year.label)
        found = p.argmax(0).astype(np.uint8)
        rows.append(_row(case, fill, "unet3d", found, told))
        rows.append(_row(case, fill, "count", _count(values, context), None))
    return rows


def _months(
    case: Case, fill: str, fillers: Mapping[str, Filler]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    images, seen = case.year.images, case.year.seen
    if fill == TRUTH:
        return images, np.ones(images.shape, bool)
    context = np.ascontiguousarray(np.broadcast_to(seen[:, None], images.shape))
    values = np.where(context, images, np.float32(0))
    if fill == NO_FILL:
        return values, context
    answer = fillers[fill].fill(Task(values, context, ~context, days(case)))
    filled = ~context & np.isfinite(answer.mean)
    return np.where(filled, answer.mean, values).astype(np.float32), context | filled


def _count(values: NDArray[np.float32], context: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """The rival: wet months among those seen, by the index that these bands allow."""
    index = red_swir(values[:, 0], values[:, 2])
    states = classify(np.where(context.all(1), index, np.float32(np.nan)), 0.0)
    return seasonality((states == WATER).sum(0), (states != NO_DATA).sum(0))


def _row(
    case: Case,
    fill: str,
    teller: str,
    found: NDArray[np.uint8],
    told: NDArray[np.float64] | None,
) -> Row:
    label = case.year.label
    seen = np.where(case.year.seen.any(0), label, np.uint8(NO_DATA))
    return Row(
        case.scene,
        case.cloud,
        case.missing,
        fill,
        teller,
        classes.confusion(label, found, 3),
        classes.confusion(seen, found, 3),
        told,
    )
