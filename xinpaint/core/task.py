"""The one record that use, training and scoring share: what may be looked at, what is wanted."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xinpaint.errors import SchemaError

#: Provenance codes, the same everywhere.
OUTSIDE, OBSERVED, FILLED, NOT_FILLED, READ_FAILED = 0, 1, 2, 3, 4
#: Values spread over so many steps of their packing may well be meant for it.
_STEPS = 100


@dataclass(frozen=True, eq=False)
class Task:
    """One gap-filling task on a small dense array.

    Parameters
    ----------
    values : float32 ``[t b y x]``
        Pixel values in any unit. What lies outside `context` is never read.
    context : bool ``[t b y x]``
        May be looked at. Its values must be finite.
    target : bool ``[t b y x]``
        Is wanted. Never true where `context` is.
    days : float64 ``[t]``
        Days since 1970-01-01 (or any common origin).
    origin : (int, int)
        ``(y, x)`` index of the first pixel in the array the task was cut from.

    Raises
    ------
    SchemaError
        Where shapes disagree or a pixel is both context and target.

    Examples
    --------
    >>> values = np.zeros((1, 1, 2, 2), np.float32)
    >>> seen = np.array([[True, False], [True, True]]).reshape(values.shape)
    >>> Task(values, context=seen, target=~seen).shape
    (1, 1, 2, 2)
    """

    values: NDArray[np.float32]
    context: NDArray[np.bool_]
    target: NDArray[np.bool_]
    days: NDArray[np.float64] = field(default_factory=lambda: np.zeros(1))
    origin: tuple[int, int] = (0, 0)

    def __post_init__(self) -> None:
        if self.values.ndim != 4:
            raise SchemaError(f"a Task needs values [t b y x]; found {self.values.ndim} dims")
        for name in ("context", "target"):
            part = getattr(self, name)
            if part.shape != self.values.shape or part.dtype != np.bool_:
                raise SchemaError(
                    f"{name} must be bool of shape {self.values.shape}; "
                    f"found {part.dtype} {part.shape}"
                )
        if len(self.days) != self.values.shape[0]:
            raise SchemaError(
                f"found {self.values.shape[0]} dates and {len(self.days)} days; wanted a day a date"
            )
        if self.target.any() and np.any(self.context & self.target):
            both = int(np.sum(self.context & self.target))
            raise SchemaError(
                f"{both} values are context and target at once; take them out of one of the two"
            )

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """``(t, b, y, x)``."""
        t, b, y, x = self.values.shape
        return t, b, y, x


@dataclass(frozen=True, eq=False)
class Fill:
    """A method's answer, same shape as the task; NaN = "I do not know".

    Parameters
    ----------
    mean : float32 ``[t b y x]``
        Read only under the task's target.
    std : float32 ``[t b y x]`` or None
        One standard deviation, ≥ 0, never NaN where `mean` is finite; None where a method has none.

    Examples
    --------
    >>> Fill(np.zeros((1, 1, 2, 2), np.float32)).std is None
    True
    """

    mean: NDArray[np.float32]
    std: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class Packing:
    """How floats will be written as integers: ``value = factor * number + offset``.

    Parameters
    ----------
    dtype : str
        Of the integers.
    factor, offset : float
    nodata : float or None
        The number that says "missing".
    """

    dtype: str
    factor: float
    offset: float
    nodata: float | None

    def hold(self, values: NDArray[Any]) -> NDArray[Any]:
        """Move values that the integers cannot hold, or would take for missing, to the nearest.

        Writing would wrap them around: a reflectance of -0.3 came back as 1.5.
        """
        numbers = ((values.astype(np.float64) - self.offset) / self.factor).astype(np.float32)
        held = cast(numbers, np.dtype(self.dtype), self.nodata)
        moved = np.rint(numbers) != held
        nearest = held.astype(np.float64) * self.factor + self.offset
        return np.where(moved, nearest, values).astype(values.dtype)

    def fits(self, seen: NDArray[Any]) -> bool:
        """Whether observed values may be numbers so packed: in range, and whole or of many steps.

        An encoding outlives what is done to an array in place: after ``ds["red"] *= 1e-4`` it
        speaks of values that are no longer there, and is not to be held to.
        """
        if not seen.size:
            return True
        info, values = np.iinfo(self.dtype), seen.astype(np.float64)
        numbers = (values - self.offset) / self.factor
        least, most = numbers.min(), numbers.max()
        if not (info.min - 0.5 < least and most < info.max + 0.5):
            return False
        rounding = 4 * np.finfo(np.float32).eps * (np.abs(values) + abs(self.offset))
        whole = np.abs(numbers - np.rint(numbers)) <= 1e-3 + rounding / abs(self.factor)
        return bool(most - least >= _STEPS or whole.all())


@dataclass(frozen=True, eq=False)
class Composed:
    """Original and fill together: values in the original's dtype, std float32, provenance uint8."""

    values: NDArray[Any]
    std: NDArray[np.float32] | None
    provenance: NDArray[np.uint8]


def compose(
    original: NDArray[Any], task: Task, fill: Fill, *, nodata: float | None = None
) -> Composed:
    """Lay a fill under the observed pixels; these come back bit for bit.

    Parameters
    ----------
    original : any real dtype ``[t b y x]``
        The array as the user gave it, not the task's float32 copy.
    task, fill : Task, Fill
        Same shape as `original`.
    nodata : float, optional
        The value that says "missing" in an integer array; a filled pixel never takes it.

    Returns
    -------
    Composed
        `values`: original, with finite answers at the target (rounded and clipped for integers);
        a target without a finite mean, or a finite std where there is one, keeps `nodata` (or
        NaN). `std`: 0 where observed, NaN where neither observed nor filled; integers add the
        rounding's variance, step²/12; floats are no surer than a step of float32.

    Examples
    --------
    >>> original = np.array([[7, 0]], np.uint16).reshape(1, 1, 1, 2)
    >>> task = Task(original.astype(np.float32), original > 0, original == 0)
    >>> made = compose(original, task, Fill(np.full(task.shape, 6.6, np.float32)), nodata=0)
    >>> made.values.ravel().tolist(), made.provenance.ravel().tolist()
    ([7, 7], [1, 2])
    """
    filled = task.target & np.isfinite(fill.mean)
    if fill.std is not None:
        filled &= np.isfinite(fill.std)
    missing = ~task.context & ~filled
    values = original.copy()
    values[filled] = cast(fill.mean[filled], original.dtype, nodata)
    is_integer = np.issubdtype(original.dtype, np.integer)
    if not is_integer:
        values[task.target & ~filled] = np.nan
    elif nodata is not None:
        values[task.target & ~filled] = nodata
    provenance = np.full(original.shape, OUTSIDE, np.uint8)
    provenance[task.context] = OBSERVED
    provenance[task.target] = NOT_FILLED
    provenance[filled] = FILLED
    std = None
    if fill.std is not None:
        spread = fill.std.astype(np.float32)
        if is_integer:
            spread = np.sqrt(spread**2 + np.float32(1 / 12))
        else:  # answers are computed in float32
            np.maximum(spread, np.finfo(np.float32).eps * np.abs(fill.mean), out=spread)
        std = np.where(filled, spread, np.float32(0))
        std[missing] = np.nan
    return Composed(values, std, provenance)


def cast(mean: NDArray[np.float32], dtype: np.dtype[Any], nodata: float | None) -> NDArray[Any]:
    """Round and clip to an integer dtype, stepping off nodata towards the unrounded mean.

    Parameters
    ----------
    mean : float32 ``[...]``
    dtype : dtype
        A float is only converted.
    nodata : float or None
        What an integer must not become.

    Returns
    -------
    dtype ``[...]``

    Examples
    --------
    >>> cast(np.array([-3.0, 0.2, 7.5], np.float32), np.dtype("uint8"), 0).tolist()
    [1, 1, 8]
    """
    if not np.issubdtype(dtype, np.integer):
        return mean.astype(dtype)
    info = np.iinfo(dtype)
    exact = mean.astype(np.float64)
    whole = np.clip(np.rint(exact), info.min, info.max)
    if nodata is not None:
        hit = whole == nodata
        step = np.where((exact >= nodata) & (nodata < info.max) | (nodata <= info.min), 1.0, -1.0)
        whole = np.where(hit, whole + step, whole)
    return whole.astype(dtype)
