"""How seasonality is defined: count the wet months among those that were seen.

The classes are those of Pekel et al. 2016, Nature 540, 418-422 (JRC Global Surface Water).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xinpaint.errors import SchemaError
from xinpaint.water.extent import NO_DATA, NOT_WATER, WATER

#: Classes of seasonality beside `NOT_WATER` and `NO_DATA`.
SEASONAL, PERMANENT = 1, 2

#: Our class, in the order of the JRC's YearlyHistory codes 0, 1, 2, 3.
_FROM_JRC = np.array([NO_DATA, NOT_WATER, SEASONAL, PERMANENT], np.uint8)


@dataclass(frozen=True, eq=False)
class MonthCounts:
    """How often each month of the year was seen, and how often it was wet; adds up over dates.

    Parameters
    ----------
    wet, seen : uint16 ``[12 y x]``
        Dates on which a pixel was water, and was seen at all; January first.

    Raises
    ------
    SchemaError
        Where shapes or dtypes are others, or a month was wet more often than seen.

    Examples
    --------
    >>> none = np.zeros((12, 1, 1), np.uint16)
    >>> int((MonthCounts(none, none + 1) + MonthCounts(none, none + 2)).seen[0, 0, 0])
    3
    """

    wet: NDArray[np.uint16]
    seen: NDArray[np.uint16]

    def __post_init__(self) -> None:
        for name in ("wet", "seen"):
            part = getattr(self, name)
            if part.ndim != 3 or part.shape[0] != 12 or part.dtype != np.uint16:
                raise SchemaError(f"{name} must be uint16 [12 y x]; found {part.dtype}{part.shape}")
        if self.wet.shape != self.seen.shape or np.any(self.wet > self.seen):
            raise SchemaError(
                f"found wet of shape {self.wet.shape} and seen of shape {self.seen.shape}; wanted "
                "one shape, and no month wet more often than it was seen"
            )

    def __add__(self, other: MonthCounts) -> MonthCounts:
        """Count of both sets of dates."""
        return MonthCounts(self.wet + other.wet, self.seen + other.seen)


def count(extent: NDArray[np.uint8], months: NDArray[Any]) -> MonthCounts:
    """Count wet and seen dates for each month of the year; the order of dates means nothing.

    Parameters
    ----------
    extent : uint8 ``[t y x]``
        0 not water, 1 water, 255 no data.
    months : int ``[t]``
        1 to 12.

    Examples
    --------
    >>> extent = np.array([1, 0, 255], np.uint8).reshape(3, 1, 1)
    >>> counts = count(extent, np.array([4, 4, 5]))
    >>> counts.wet[3, 0, 0], counts.seen[3, 0, 0], counts.seen[4, 0, 0]
    (np.uint16(1), np.uint16(2), np.uint16(0))
    """
    shape = (12, *extent.shape[1:])
    wet, seen = np.zeros(shape, np.uint16), np.zeros(shape, np.uint16)
    for month in range(12):
        here = extent[np.asarray(months) == month + 1]
        wet[month] = (here == WATER).sum(0)
        seen[month] = (here != NO_DATA).sum(0)
    return MonthCounts(wet, seen)


def month_state(wet: NDArray[Any], seen: NDArray[Any]) -> NDArray[np.uint8]:
    """Composite of a month: water where at least half of the dates that saw a pixel saw water.

    Parameters
    ----------
    wet, seen : unsigned integer, any shape
        Dates of that month.

    Returns
    -------
    uint8, same shape
        0 not water, 1 water, 255 where no date saw the pixel.
    """
    made = (2 * wet.astype(np.uint32) >= seen).astype(np.uint8)
    made[seen == 0] = NO_DATA
    return made


def seasonality(wet: NDArray[Any], seen: NDArray[Any]) -> NDArray[np.uint8]:
    """Class of a pixel: wet in every month that was seen, in some, or in none.

    Parameters
    ----------
    wet, seen : unsigned integer, any shape
        Number of months.

    Returns
    -------
    uint8, same shape
        0 not water, 1 seasonal, 2 permanent, 255 where no month was seen.
    """
    made = np.zeros(wet.shape, np.uint8)
    made[wet > 0] = SEASONAL
    made[(wet > 0) & (wet == seen)] = PERMANENT
    made[seen == 0] = NO_DATA
    return made


def of_year(counts: MonthCounts) -> NDArray[np.uint8]:
    """Seasonality ``[y x]`` of the months counted, for counts of one year or of many.

    Parameters
    ----------
    counts : MonthCounts

    Returns
    -------
    uint8 ``[y x]``
        0 not water, 1 seasonal, 2 permanent, 255 no data.

    Examples
    --------
    >>> extent = np.array([1, 0], np.uint8).reshape(2, 1, 1)
    >>> int(of_year(count(extent, np.array([4, 10])))[0, 0])  # wet in April, dry in October
    1
    """
    states = month_state(counts.wet, counts.seen)
    return seasonality((states == WATER).sum(0), (states != NO_DATA).sum(0))


def to_jrc(classes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Codes of the JRC's YearlyHistory: 0 no data, 1 not water, 2 seasonal, 3 permanent.

    Parameters
    ----------
    classes : uint8, any shape
        0 not water, 1 seasonal, 2 permanent, 255 no data.

    Raises
    ------
    SchemaError
        Where another code is found.

    Examples
    --------
    >>> to_jrc(np.array([0, 1, 2, 255], np.uint8)).tolist()
    [1, 2, 3, 0]
    """
    return _recode(classes, _FROM_JRC, np.arange(4, dtype=np.uint8))


def from_jrc(codes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Turn codes of the JRC's YearlyHistory into classes; the way back of `to_jrc`.

    Parameters
    ----------
    codes : uint8, any shape
        0 no data, 1 not water, 2 seasonal, 3 permanent.

    Raises
    ------
    SchemaError
        Where another code is found.

    Examples
    --------
    >>> from_jrc(np.array([0, 1, 2, 3], np.uint8)).tolist()
    [255, 0, 1, 2]
    """
    return _recode(codes, np.arange(4, dtype=np.uint8), _FROM_JRC)


def _recode(
    values: NDArray[Any], old: NDArray[np.uint8], new: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    strange = np.setdiff1d(values, old)
    if strange.size:
        raise SchemaError(f"found codes {strange[:5].tolist()}; wanted {sorted(old.tolist())}")
    table = np.zeros(256, np.uint8)
    table[old] = new
    return table[values.astype(np.uint8)]
