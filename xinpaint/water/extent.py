"""Wet, dry or unknown: an index against a threshold, fixed or found by Otsu's method."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from xinpaint.errors import MethodError
from xinpaint.suggestions import did_you_mean
from xinpaint.water.indices import INDICES

#: Codes of an extent.
NOT_WATER, WATER, NO_DATA = 0, 1, 255
BINS = 512


@dataclass(frozen=True)
class Rule:
    """How water is told from land.

    Parameters
    ----------
    index : str
        A name from `INDICES`, or "auto".
    threshold : float or "otsu"
        Water is above it; "otsu" finds one for each date.
    scale, offset : float, optional
        Reflectance is ``value * scale + offset``; what the cube carries where not given.

    Raises
    ------
    MethodError
        If the index is unknown, or threshold, scale or offset is no number.

    Examples
    --------
    >>> Rule("mndwi", "otsu").threshold
    'otsu'
    """

    index: str = "auto"
    threshold: float | Literal["otsu"] = 0.0
    scale: float | None = None
    offset: float | None = None

    def __post_init__(self) -> None:
        if self.index not in (*INDICES, "auto"):
            names = ("auto", *INDICES)
            guess = did_you_mean(self.index, names)
            raise MethodError(f"unknown index {self.index!r}.{guess} There are {', '.join(names)}")
        if self.threshold != "otsu" and not _is_number(self.threshold):
            raise MethodError(f"threshold={self.threshold!r}; wanted a number or 'otsu'")
        if self.scale is not None and not (_is_number(self.scale) and self.scale > 0):
            raise MethodError(f"scale={self.scale!r}; wanted a number above 0, such as scale=1e-4")
        if self.offset is not None and not _is_number(self.offset):
            raise MethodError(f"offset={self.offset!r}; wanted a number, such as offset=-0.2")


def _is_number(value: Any) -> bool:
    is_number = isinstance(value, (int, float, np.integer, np.floating))
    return is_number and not isinstance(value, bool) and bool(np.isfinite(value))


def classify(index: NDArray[np.float32], threshold: float | NDArray[Any]) -> NDArray[np.uint8]:
    """Water where the index is above the threshold.

    Parameters
    ----------
    index : float32, any shape
        NaN is unknown.
    threshold : float, or array that broadcasts to `index`

    Returns
    -------
    uint8, same shape
        0 not water, 1 water, 255 no data.
    """
    made = np.where(index > threshold, np.uint8(WATER), np.uint8(NOT_WATER))
    made[np.isnan(index)] = NO_DATA
    return made


def histogram(index: NDArray[np.float32], span: tuple[float, float]) -> NDArray[np.int64]:
    """Count finite values in `BINS` equal bins over `span`; what lies beyond goes to the ends.

    Counts of pieces add up to the count of the whole.
    """
    finite = index[np.isfinite(index)]
    counts, _ = np.histogram(np.clip(finite, *span), bins=BINS, range=span)
    return counts.astype(np.int64)


def otsu(counts: NDArray[np.int64], span: tuple[float, float]) -> float:
    """Find the threshold that separates two classes best: the most variance between them.

    Meaningful only where both water and land have a fair share of the image.

    Parameters
    ----------
    counts : int64 ``[bins]``
        A histogram over `span`.
    span : (float, float)

    Returns
    -------
    float
        The middle of the best thresholds where several are equally good; NaN where fewer than two
        bins hold anything.

    References
    ----------
    Otsu 1979, IEEE Transactions on Systems, Man, and Cybernetics 9(1), 62-66.
    """
    edges = np.linspace(*span, counts.size + 1)
    centres = (edges[1:] + edges[:-1]) / 2
    below, mass = np.cumsum(counts)[:-1], np.cumsum(counts * centres)
    above = counts.sum() - below
    both = (below > 0) & (above > 0)
    if not both.any():
        return float("nan")
    step = (mass[-1] - mass[:-1]) / np.maximum(above, 1) - mass[:-1] / np.maximum(below, 1)
    between = np.where(both, below * 1.0 * above * step**2, -1.0)
    best = np.flatnonzero(between >= between.max() * (1 - 1e-12))
    return float(edges[1:-1][best].mean())
