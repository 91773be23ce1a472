"""The neighbourhood similar pixel interpolator: neighbours that looked alike on another date."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xinpaint.core.dates import check_days
from xinpaint.core.task import Fill, Task
from xinpaint.core.tiling import Halo
from xinpaint.methods.others import (
    alike,
    box_sum,
    centred,
    check_dates,
    check_whole,
    check_window,
    fill_from_others,
)
from xinpaint.methods.planes import check_number

#: Half sides at which the search pauses: most pixels are done long before the largest window.
_STAGES = (3, 5, 7, 10, 15, 25, 50)
#: Half side of the smallest window.
_FIRST = 2
#: Numbers in the largest temporary array, about 8 bytes each.
_BATCH = 3_000_000
#: Part of the mean spectral distance added to each, so that one equal pixel does not take all.
_FLOOR = 1e-3


@dataclass(frozen=True)
class NSPI:
    """Chen et al. (2011): weighted means over the pixels around that look like the missing one.

    What is alike is decided on the nearest date that saw the pixel, over all its bands: a pixel
    seen on both dates whose spectral distance (root mean square over bands) is below the mean of
    the bands' standard deviations times 2 / `classes`. The window grows from 5 pixels until it
    holds `similar` of them; if the largest has fewer, the `similar` nearest in spectrum are
    taken. Weights are the inverse of spectral times spatial distance. Their mean on the date to
    fill, and the missing pixel's other value plus their mean change, are then averaged, each by
    the inverse of its heterogeneity.

    The standard deviations are those of the largest window, not of the image, so that tiles
    agree. A date with fewer than `similar` pixels seen on both dates in the largest window is
    passed over for the next nearest; where none is left, the pixel is not answered.

    Parameters
    ----------
    max_dates : int
        Other dates to consider, nearest in time first. Also the halo in time.
    max_days : float, optional
        Consider no date farther away than this.
    window : int
        Side of the largest window, odd, in pixels.
    similar : int
        Similar pixels wanted.
    classes : float
        About how many kinds of surface there are; more makes the choice of pixels stricter.

    Raises
    ------
    MethodError
        Where an option is not a sensible number.

    References
    ----------
    J. Chen, X. Zhu, J. E. Vogelmann, F. Gao, S. Jin, "A simple and effective method for filling
    gaps in Landsat ETM+ SLC-off images", Remote Sensing of Environment 115 (2011),
    doi:10.1016/j.rse.2010.12.010.
    """

    max_dates: int = 6
    max_days: float | None = None
    window: int = 31
    similar: int = 20
    classes: float = 4

    def __post_init__(self) -> None:
        check_dates("nspi", self.max_dates, self.max_days)
        check_window("nspi", self.window, least=2 * _FIRST + 1)
        check_whole("nspi", "similar", self.similar, least=1)
        check_number("nspi", "classes", self.classes, least=1)

    @property
    def halo(self) -> Halo:
        """`max_dates` dates and half a window."""
        return Halo(self.max_dates, self.window // 2, self.window // 2)

    def fill(self, task: Task) -> Fill:
        """Answer every target pixel that one of the dates saw, with enough pixels around it.

        Parameters
        ----------
        task : Task
            ``days`` in any order, finite, none twice.

        Raises
        ------
        SchemaError
            Where two dates are the same or a day is not finite.
        """
        check_days(task.days, "nspi")
        return fill_from_others(task, self.max_dates, self.max_days, self._predict)

    def _predict(
        self, task: Task, date: int, other: int, wanted: NDArray[np.bool_]
    ) -> NDArray[np.floating]:
        said = np.full(wanted.shape, np.nan)
        half = self.window // 2
        here, there = (_table(task, k, half) for k in (date, other))
        seen = task.context[other]
        spread = _spread(task.values[other], seen, half)
        for bands, rows, cols in _patterns(seen, wanted):
            known = seen[bands].all(axis=0)
            limit = spread[bands][:, rows, cols].mean(axis=0) * 2 / self.classes
            for group in alike(task.context[date]):
                answered = np.intersect1d(group, bands)
                asked = wanted[answered][:, rows, cols].any(axis=0)
                if not asked.any():
                    continue
                both = known & task.context[date, group[0]]
                search = _Search(there[:, bands], both, limit[asked], self.similar, half)
                for pixels, answer in search.answers(
                    here[:, answered], there[:, answered], (rows[asked], cols[asked])
                ):
                    at = rows[asked][pixels], cols[asked][pixels]
                    for column, band in enumerate(answered):
                        said[band][at] = answer[:, column]
        return said


@dataclass(frozen=True, eq=False)
class _Search:
    """Similar pixels of many missing ones at once, on planes padded by `half` and laid flat.

    `spectra` float64 ``[place band]`` of the other date, `both` bool ``[y x]`` not padded,
    `limit` ``[pixel]`` of spectral distance.
    """

    spectra: NDArray[np.float64]
    both: NDArray[np.bool_]
    limit: NDArray[np.float64]
    similar: int
    half: int

    def answers(
        self,
        here: NDArray[np.float64],
        there: NDArray[np.float64],
        where: tuple[NDArray[np.intp], NDArray[np.intp]],
    ) -> Iterator[tuple[NDArray[np.intp], NDArray[np.float64]]]:
        """Yield indices into the pixels `where`, and their answers ``[pixel band]``."""
        width = self.both.shape[1] + 2 * self.half
        places = (where[0] + self.half) * width + where[1] + self.half
        flat = np.pad(self.both, self.half).ravel()
        left = np.ones(len(places), bool)
        for reach in (*(k for k in _STAGES if k < self.half), self.half):
            # The box counts the pixels there are: a window with too few is not searched.
            count = np.rint(box_sum(self.both.astype(np.float64), reach))[where]
            pixels = np.flatnonzero(left & (count >= self.similar))
            steps, rings, away = _window(reach, width)
            batch = max(1, _BATCH // (len(steps) * self.spectra.shape[1]))
            for first in range(0, len(pixels), batch):
                part = pixels[first : first + batch]
                around = places[part, None] + steps
                distance = self._distances(places[part], around, flat)
                chosen = self._choose(distance, self.limit[part], rings, reach)
                row, column = np.nonzero(chosen)
                found = np.unique(row)
                if len(found):
                    picked = (np.searchsorted(found, row), around[row, column])
                    weights = _Weights(distance[row, column], away[column], picked[0])
                    yield part[found], weights.mix(here, there, picked[1], places[part[found]])
                left[part[found]] = False

    def _distances(
        self, places: NDArray[np.intp], around: NDArray[np.intp], flat: NDArray[np.bool_]
    ) -> NDArray[np.float64]:
        """Spectral distance ``[pixel step]``; infinite where a pixel was not seen on both dates."""
        gap = self.spectra[around]
        gap -= self.spectra[places][:, None]
        distance = np.sqrt(np.einsum("psb,psb->ps", gap, gap) / gap.shape[-1])
        return np.where(flat[around], distance, np.inf)

    def _choose(
        self,
        distance: NDArray[np.float64],
        limit: NDArray[np.float64],
        rings: NDArray[np.intp],
        reach: int,
    ) -> NDArray[np.bool_]:
        """Mark the similar pixels of the smallest window with enough; none where there is none."""
        near = distance <= limit[:, None]
        starts = np.searchsorted(rings, np.arange(1, reach + 1))
        count = np.cumsum(np.add.reduceat(near, starts, axis=1, dtype=np.int64), axis=1)
        enough = count >= self.similar
        ring = np.maximum(np.argmax(enough, axis=1) + 1, _FIRST)
        near &= (rings <= ring[:, None]) & enough[:, -1:]
        short = ~enough[:, -1]
        if reach == self.half and short.any():
            rest = distance[short]
            bound = np.partition(rest, self.similar - 1, axis=1)[:, self.similar - 1, None]
            near[short] = rest <= bound
        return near


@dataclass(frozen=True, eq=False)
class _Weights:
    """Chosen pixels of many missing ones, one after another; `row` says whose each is, sorted."""

    distance: NDArray[np.float64]
    away: NDArray[np.float64]
    row: NDArray[np.intp]

    def mix(
        self,
        here: NDArray[np.float64],
        there: NDArray[np.float64],
        chosen: NDArray[np.intp],
        places: NDArray[np.intp],
    ) -> NDArray[np.float64]:
        """Both predictions, averaged by the inverse of their heterogeneity; ``[pixel band]``."""
        starts = np.searchsorted(self.row, np.arange(len(places)))
        count = np.diff(np.append(starts, len(self.row)))
        alien = np.add.reduceat(self.distance, starts) / count
        floor = np.where(alien > 0, alien * _FLOOR, 1.0)[self.row]
        weight = 1 / ((self.distance + floor) * self.away)
        weight /= np.add.reduceat(weight, starts)[self.row]
        now = here[chosen]
        change = now - there[chosen]
        # band by band: which bands are answered together depends on gaps far away
        moved = np.add.reduceat(np.abs(change), starts) / count[:, None]
        strange = np.abs(there[chosen] - there[places][self.row])
        strange = np.add.reduceat(strange, starts) / count[:, None]
        in_space = np.add.reduceat(weight[:, None] * now, starts)
        in_time = there[places] + np.add.reduceat(weight[:, None] * change, starts)
        both = strange + moved
        share = np.where(both > 0, moved / np.where(both > 0, both, 1.0), 0.5)
        return share * in_space + (1 - share) * in_time


def _table(task: Task, date: int, half: int) -> NDArray[np.float64]:
    """Values of a date ``[place band]``, padded by `half`; 0 where not seen."""
    bands, height, width = task.shape[1:]
    table = np.zeros((height + 2 * half, width + 2 * half, bands))
    inner = table[half : half + height, half : half + width]
    for band in range(bands):
        seen = task.context[date, band]
        inner[seen, band] = task.values[date, band][seen]
    return table.reshape(-1, bands)


def _spread(values: NDArray[np.float32], seen: NDArray[np.bool_], half: int) -> NDArray[np.float64]:
    """Standard deviation ``[b y x]`` of what was seen in the window around each pixel."""
    spread = np.empty(values.shape)
    for band, mask in enumerate(seen):
        plane, _ = centred(values[band], mask)
        count = np.maximum(np.rint(box_sum(mask.astype(np.float64), half)), 1)
        mean = box_sum(plane, half) / count
        spread[band] = np.sqrt(np.maximum(box_sum(plane**2, half) / count - mean**2, 0))
    return spread


def _patterns(
    seen: NDArray[np.bool_], wanted: NDArray[np.bool_]
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]]:
    """Wanted pixels by which bands the other date saw there: bands, rows, columns."""
    rows, cols = np.nonzero(wanted.any(axis=0))
    patterns, which = np.unique(seen[:, rows, cols], axis=1, return_inverse=True)
    for index, pattern in enumerate(patterns.T):
        mine = which.ravel() == index
        yield np.flatnonzero(pattern), rows[mine], cols[mine]


def _window(
    reach: int, width: int
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float64]]:
    """Steps to the pixels around, ring by ring: flat index, ring, distance in pixels."""
    down, right = (k.ravel() for k in np.mgrid[-reach : reach + 1, -reach : reach + 1])
    rings = np.maximum(abs(down), abs(right))
    order = np.argsort(rings, kind="stable")[1:]
    down, right = down[order], right[order]
    return down * width + right, rings[order], np.hypot(down, right)
