"""Targets with a known truth, and the other dates they may look at."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.quality.scenes import read_bank
from xinpaint.core import masks
from xinpaint.core.metrics import stretch
from xinpaint.core.task import Task
from xinpaint.errors import DataError

Float = NDArray[np.float32]
Bool = NDArray[np.bool_]

#: SLC-off dates of Oakville with a clear Landsat 5 image one day away.
SLC_OFF = (
    "20030824", "20030902", "20030925", "20040429", "20050218",
    "20050306", "20050525", "20050721", "20050813", "20050907",
)  # fmt: skip
_NO_GROUND = (2, 4, 255)
_BANK = "masks/slc_gaps_colombia_256.npz"


@dataclass(frozen=True, eq=False)
class Series:
    """Dates of one place: `values` float32, `clear` and `inside` bool ``[t b y x]``, `days`.

    `clear` is seen and free of cloud; `inside` is no gap, whatever covers it.
    """

    name: str
    values: Float
    clear: Bool
    inside: Bool
    days: NDArray[np.float64]
    dates: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Case:
    """One date to fill: the series as a task sees it, the truth and where it is hidden.

    `values` and `context` ``[t b y x]``, `truth` and `hidden` ``[b y x]``, `date` the target's
    index; `planted` (bool ``[y x]``) where other dates were made to lie; `beside` ``[b y x]`` the
    image that the truth comes from, NaN where it saw nothing, if that is not the date's own.
    """

    name: str
    kind: str
    values: Float
    context: Bool
    days: NDArray[np.float64]
    date: int
    truth: Float
    hidden: Bool
    planted: Bool | None = None
    beside: NDArray[np.float64] | None = None

    def task(self) -> Task:
        """All dates; the target is the hidden and missing pixels of one of them."""
        target = np.zeros_like(self.context)
        target[self.date] = ~self.context[self.date]
        values = np.where(self.context, self.values, np.float32(0))
        return Task(values, self.context, target, self.days)

    def scale(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Low and width of each band's 1-99 percentile stretch of the truth, ``[b 1 1]``."""
        known = self.hidden | self.context[self.date]
        ends = [stretch(v, ok) for v, ok in zip(self.truth, known, strict=True)]
        low, high = np.array(ends).T[:, :, None, None]
        return low, high - low


def read_series(folder: Path, pattern: str) -> Series:
    """Read ``*_<yyyymmdd>.tif`` below `folder` in the order of their dates.

    Raises
    ------
    DataError
        If there is none.
    """
    import rasterio

    found = {}
    for path in folder.glob(pattern):
        if match := re.search(r"_(\d{8})$", path.stem):
            found[match[1]] = path
    if not found:
        raise DataError(f"nothing in {folder} matches {pattern!r}: is XINPAINT_DATA right?")
    values, clear, inside = [], [], []
    for date in sorted(found):
        with rasterio.open(found[date]) as source:
            image, nodata = source.read(), source.nodata
        seen = np.ones(image.shape, bool) if nodata is None else image != nodata
        seen &= seen.all(0)
        inside.append(seen)
        beside = found[date].with_name(f"{found[date].stem}_qa.tif")
        if beside.is_file():
            with rasterio.open(beside) as source:
                seen = seen & ~np.isin(source.read(1), _NO_GROUND)
        values.append(image.astype(np.float32))
        clear.append(seen)
    return Series(
        found[min(found)].parent.name,
        np.stack(values),
        np.stack(clear),
        np.stack(inside),
        np.array([float(dt.datetime.strptime(d, "%Y%m%d").toordinal()) for d in sorted(found)]),
        tuple(sorted(found)),
    )


def real_gaps(series: Series) -> Iterator[Case]:
    """SLC-off dates of Oakville: the image of the day before or after is the truth under the gap.

    It is taken out of the series, and brought to the target's radiometry by a line for each band,
    fitted on the pixels that both saw clearly.
    """
    for name in SLC_OFF:
        date = series.dates.index(name)
        other = int(np.flatnonzero(np.abs(series.days - series.days[date]) == 1)[0])
        both = series.clear[date] & series.clear[other]
        beside = np.empty(series.values[date].shape)
        for band, pixels in enumerate(both):
            theirs, ours = (series.values[k, band][pixels] for k in (other, date))
            beside[band] = np.polyval(np.polyfit(theirs, ours, 1), series.values[other, band])
        keep = np.arange(len(series.days)) != other
        hidden = ~series.inside[date] & series.clear[other]
        truth = np.where(series.clear[date], series.values[date], beside).astype(np.float32)
        yield Case(
            f"{series.name} {name}",
            "real SLC-off",
            series.values[keep],
            series.clear[keep],
            series.days[keep],
            date - int(other < date),
            truth,
            hidden,
            beside=np.where(series.clear[other], beside, np.nan),
        )


def own_gaps(series: Series) -> Iterator[Case]:
    """SLC-off dates of Oakville under another one's gaps, the truth being what they saw.

    The gaps are those of the next date in the list that miss other pixels.
    """
    dates = [series.dates.index(name) for name in SLC_OFF]
    for k, date in enumerate(dates):
        gaps = (~series.inside[other, 0] for other in dates[k + 1 :] + dates[:k])
        gap = next(g for g in gaps if (g & series.clear[date]).mean() > 0.05)
        yield from hidden_gaps(series, [date], [("more gaps", gap)])


def hidden_gaps(
    series: Series, dates: list[int], gaps: list[tuple[str, Bool]], *, kind: str = ""
) -> Iterator[Case]:
    """Lay gaps over dates of a series, one after the other; the other dates stay as they are."""
    for date in dates:
        for name, gap in gaps:
            context = series.clear.copy()
            context[date] &= ~gap
            yield Case(
                f"{series.name} {series.dates[date]}",
                kind or name,
                series.values,
                context,
                series.days,
                date,
                series.values[date],
                series.clear[date] & gap,
            )


def pair_cases(folder: Path, seeds: int) -> list[Case]:
    """`pairs/ood`, each date once the target: real gap windows, and stripes at the scan edge."""
    bank, found = read_bank(folder / _BANK), []
    for number, place in enumerate(sorted(p.name for p in (folder / "pairs/ood").iterdir())):
        series = read_series(folder, f"pairs/ood/{place}/*.tif")
        shape = series.values.shape[2:]
        for k in range(seeds):
            seed = 100 * number + k
            real = masks.transplant(bank, shape, seed=seed)
            edge = masks.scan_lines(shape, seed=seed, position=1.0)
            found += hidden_gaps(series, [0, 1], [("real", real), ("edge", edge)])
    return found


def oakville_cases(folder: Path, count: int) -> list[Case]:
    """Clear dates of Oakville under the gaps of its own SLC-off dates; others gappy and cloudy."""
    series = read_series(folder, "series/oakville/*.tif")
    gappy = [series.dates.index(name) for name in SLC_OFF]
    whole = np.flatnonzero(series.clear.mean((1, 2, 3)) > 0.999)
    found: list[Case] = []
    for k, date in enumerate(whole[np.linspace(0, len(whole) - 1, count).astype(int)]):
        gap = ~series.inside[gappy[k % len(gappy)], 0]
        found += hidden_gaps(series, [int(date)], [("hidden", gap)])
    return found


def menindee_cases(folder: Path) -> list[Case]:
    """Menindee: each SLC-off date under the gaps of another one, where it saw the ground."""
    series = read_series(folder, "slc_off/etm_menindee_australia_*.tif")
    rows, cols = slice(200, 712), slice(600, 1112)
    arrays = (series.values, series.clear, series.inside)
    cut = Series(
        "menindee",
        *(np.ascontiguousarray(a[..., rows, cols]) for a in arrays),
        series.days,
        series.dates,
    )
    found: list[Case] = []
    for date in (0, 2):
        gap = np.roll(~cut.inside[2 - date, 0], 9, 0)
        found += hidden_gaps(cut, [date], [("stripes", gap)])
    return found


def lie(case: Case, seed: int) -> Case:
    """Plant change on a tenth of the area of every other date: another place of the same image."""
    rng = np.random.default_rng(seed)
    shape = case.truth.shape[1:]
    where = masks.clouds((shape[0], shape[1]), seed=seed, fraction=0.1)
    values = case.values.copy()
    for date in range(len(values)):
        if date != case.date:
            moved = np.roll(values[date], rng.integers(40, 120, 2), (1, 2))
            values[date] = np.where(where, moved, values[date])
    return Case(
        case.name, "planted change", values, case.context, case.days, case.date, case.truth,
        case.hidden, where,
    )  # fmt: skip
