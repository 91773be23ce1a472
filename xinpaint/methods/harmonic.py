"""A yearly curve through all dates, pixel by pixel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xinpaint.core.dates import check_days
from xinpaint.core.task import Fill, Task
from xinpaint.core.tiling import Halo
from xinpaint.methods.others import alike, check_whole

#: Days in a year.
YEAR = 365.25
#: A trend needs observations this far apart, in years: less is a part of a season.
_TREND_YEARS = 1.5
#: Observations that each pair of harmonics needs beside the mean, and the trend beside those.
_PER_TERM = 3
#: Variance of the noise over that of an amplitude: how strongly terms are drawn towards 0.
_RIDGE = 0.1
#: How far an answer may leave the range of the pixel's observations, as a part of that range.
_MARGIN = 0.25
#: Numbers in the largest temporary array, about 8 bytes each.
_BATCH = 4_000_000


@dataclass(frozen=True)
class Harmonic:
    """Mean, trend and yearly harmonics, fitted by least squares to each pixel and band.

    ``y(t) = c0 + c1 t + sum over k to order of a_k cos(2 pi k t) + b_k sin(2 pi k t)``, t in years
    of 365.25 days. A pixel with few observations gets fewer terms: the k-th harmonic needs
    3 k + 1 observations (so up to three make a mean), the trend needs three more than the
    harmonics in use and observations at least 1.5 years apart. A weak ridge (0.1 observations'
    worth) draws all terms but the mean towards 0, so that what the dates cannot tell apart stays
    small, and an answer leaves the range of the pixel's own observations by a quarter of that
    range at most. A pixel never observed is not answered. Every date of the cube must be at hand
    (halo None on time).

    Parameters
    ----------
    order : int
        Harmonics of the year: 1 is one wave a year, 2 adds one of half a year.

    Raises
    ------
    MethodError
        Where `order` is no whole number from 1.

    References
    ----------
    Z. Zhu, C. E. Woodcock, "Continuous change detection and classification of land cover using
    all available Landsat data", Remote Sensing of Environment 144 (2014),
    doi:10.1016/j.rse.2014.01.011: the curve, without its search for breaks.
    """

    order: int = 1

    def __post_init__(self) -> None:
        check_whole("harmonic", "order", self.order, least=1)

    @property
    def halo(self) -> Halo:
        """All dates, no neighbours."""
        return Halo(None, 0, 0)

    def fill(self, task: Task) -> Fill:
        """Answer every target pixel that is observed on another date.

        Parameters
        ----------
        task : Task
            ``days`` in any order, finite, none twice.

        Raises
        ------
        SchemaError
            Where two dates are the same or a day is not finite.
        """
        check_days(task.days, "harmonic")
        mean = np.full(task.shape, np.nan, np.float32)
        dates, bands = task.shape[:2]
        terms = _terms(task.days, self.order)
        size = max(1, _BATCH // (terms.shape[1] ** 2 + dates * bands))
        context = np.moveaxis(task.context, 1, 0).reshape(bands, dates, -1)
        for group in alike(context):
            seen = task.context[:, group[0]]
            target = task.target[:, group].any(axis=1)
            rows, cols = np.nonzero(target.any(axis=0) & seen.any(axis=0))
            for first in range(0, len(rows), size):
                at = rows[first : first + size], cols[first : first + size]
                values = np.stack([task.values[:, band, *at] for band in group], axis=1)
                curve = self._curve(terms, values, seen[:, *at])
                for row, band in enumerate(group):
                    mean[:, band, *at] = curve[:, row]
        mean[~task.target] = np.nan
        return Fill(mean)

    def _curve(
        self,
        terms: NDArray[np.float64],
        values: NDArray[np.float32],
        seen: NDArray[np.bool_],
    ) -> NDArray[np.float64]:
        """Curves ``[t n p]`` through values ``[t n p]`` that were observed at `seen` ``[t p]``."""
        data = np.where(seen[:, None], values, 0).astype(np.float64)
        count = seen.sum(axis=0)
        middle = data.sum(axis=0) / count
        data = np.where(seen[:, None], data - middle, 0)
        low = np.min(data, axis=0, where=seen[:, None], initial=np.inf)
        high = np.max(data, axis=0, where=seen[:, None], initial=-np.inf)
        used = self._used(terms[:, 1], seen)
        both = np.einsum("tp,tij->pij", seen, terms[:, :, None] * terms[:, None])
        both *= used[:, :, None] & used[:, None]
        ridge = np.where(used, _RIDGE, 1.0)
        ridge[:, 0] = 0
        each = np.arange(terms.shape[1])
        both[:, each, each] += ridge
        right = np.einsum("tj,tnp->pjn", terms, data) * used[:, :, None]
        fitted = np.einsum("tj,pjn->tnp", terms, np.linalg.solve(both, right))
        margin = _MARGIN * (high - low)
        bounded = np.clip(fitted, low - margin, high + margin)
        return np.asarray(middle + bounded, np.float64)

    def _used(self, years: NDArray[np.float64], seen: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Which terms each pixel has observations for; bool ``[p terms]``."""
        count = seen.sum(axis=0)
        waves = np.clip((count - 1) // _PER_TERM, 0, self.order)
        when = np.broadcast_to(years[:, None], seen.shape)
        first = np.min(when, axis=0, where=seen, initial=np.inf)
        last = np.max(when, axis=0, where=seen, initial=-np.inf)
        trend = (last - first >= _TREND_YEARS) & (count >= (waves + 1) * _PER_TERM + 1)
        wave = np.arange(1, self.order + 1).repeat(2) <= waves[:, None]
        return np.column_stack([np.ones(len(count), bool), trend, wave])


def _terms(days: NDArray[np.float64], order: int) -> NDArray[np.float64]:
    """Columns ``[t j]``: 1, years from the middle, then cos and sin of each harmonic."""
    years = (days - (days.min() + days.max()) / 2) / YEAR
    phase = 2 * np.pi * np.outer(days / YEAR, np.arange(1, order + 1))
    waves = np.stack([np.cos(phase), np.sin(phase)], axis=-1).reshape(len(days), -1)
    return np.column_stack([np.ones(len(days)), years, waves])
