"""Scores of class maps and of the probabilities behind them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def confusion(
    truth: NDArray[np.uint8], found: NDArray[np.uint8], classes: int
) -> NDArray[np.int64]:
    """Count pixels, ``[classes classes]``: truth along rows, what was found along columns.

    Parameters
    ----------
    truth : uint8, any shape
        Pixels of a code of `classes` or more are not labelled and count nothing.
    found : uint8, same shape
        A code of `classes` or more is no answer, counted in the last column: a pixel of its class
        was missed, and none was found.
    """
    known = truth < classes
    answer = np.minimum(found[known].astype(np.int64), classes)
    pairs = truth[known].astype(np.int64) * (classes + 1) + answer
    made: NDArray[np.int64] = np.bincount(pairs, minlength=classes * (classes + 1))
    return made.reshape(classes, classes + 1)


def iou(table: NDArray[np.int64]) -> NDArray[np.float64]:
    """Intersection over union of each class of a `confusion`; NaN where a class is in neither."""
    both, truth, found = _parts(table)
    return _divide(both, truth + found - both)


def f1(table: NDArray[np.int64]) -> NDArray[np.float64]:
    """Harmonic mean of precision and recall of each class; NaN where a class is in neither."""
    both, truth, found = _parts(table)
    return _divide(2 * both, truth + found)


def reliability(
    probability: NDArray[Any], truth: NDArray[np.uint8], bins: int = 15
) -> NDArray[np.float64]:
    """Pixels, hits and summed probability of the likeliest class, by that probability.

    Parameters
    ----------
    probability : float ``[class ...]``
    truth : uint8 ``[...]``
        Pixels of a code of no class count nothing.
    bins : int
        Equal bins of probability.

    Returns
    -------
    float64 ``[3 bins]``
        Of several images they add up.
    """
    known = truth < len(probability)
    p = probability[:, known].astype(np.float64)
    sure, hit = p.max(0), p.argmax(0) == truth[known]
    place = np.minimum((sure * bins).astype(int), bins - 1)
    counted = [np.bincount(place, weight, bins) for weight in (None, hit, sure)]
    return np.stack(counted).astype(np.float64)


def calibration_error(table: NDArray[np.float64]) -> float:
    """How far, on the mean, a probability of `reliability` is from its hit rate.

    The expected calibration error of Guo et al. 2017, "On calibration of modern neural networks".
    """
    pixels, hits, sure = table
    return float(np.abs(hits - sure).sum() / max(pixels.sum(), 1))


def _parts(
    table: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    return np.diagonal(table), table.sum(1), table.sum(0)[: len(table)]


def _divide(a: NDArray[np.int64], b: NDArray[np.int64]) -> NDArray[np.float64]:
    made = np.full(a.shape, np.nan)
    np.divide(a, b, out=made, where=b > 0)
    return made
