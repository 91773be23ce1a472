"""Which blocks a job has: those that were asked for, those of its source, those of its store."""

from __future__ import annotations

import math
from collections.abc import Mapping
from numbers import Integral
from typing import Any

from xinpaint.core.tiling import Halo
from xinpaint.errors import JobError

#: What `block=` may be: a side; (y, x); (dates, y, x).
Asked = int | tuple[int, ...] | None
#: Least side and dates of a block that nobody chose.
SIDE, DATES = 512, 8


def sides_of(
    shape: tuple[int, int, int],
    halo: Halo,
    chunk: tuple[int, int, int],
    asked: Asked,
    before: Mapping[str, Any] | None,
) -> tuple[int, int, int]:
    """Pixels of a block along (time, y, x).

    Parameters
    ----------
    shape, chunk : (int, int, int)
        Of the cube, of a source chunk.
    halo : Halo
        What the method looks around.
    asked : int or tuple of int, optional
        As `block=` of `xinpaint.io.job.fill`.
    before : mapping, optional
        What the store's job said, where its cube has grown since it was begun: the store has
        blocks already, cut to the dates it had at first. What is asked for is told as it would
        have been then, so that the same call means the same blocks.

    Raises
    ------
    JobError
    """
    if before is None:
        return _block(shape, halo, chunk, asked)
    t, y, x = before["block"]
    if asked is None:
        return t, y, x
    wanted = _block((before["dates"][0], *shape[1:]), halo, chunk, asked)
    return wanted if len(_checked(asked) or ()) == 3 else (t, *wanted[1:])


def _checked(asked: Any) -> tuple[int, ...] | None:
    """(y, x) or (dates, y, x) of the block that was asked for."""
    if asked is None:
        return None
    given = whole_numbers(asked)
    if given is None:
        raise JobError(
            f"found a block of {asked!r} pixels; "
            "wanted its side, (y, x) or (dates, y, x), each a whole number of 1 or more"
        )
    return given


def whole_numbers(asked: Any) -> tuple[int, ...] | None:
    """A side twice, (y, x) or (dates, y, x), each a whole number of 1 or more; None otherwise."""
    given = tuple(asked) if isinstance(asked, list | tuple) else (asked, asked)
    whole = all(isinstance(n, Integral) and not isinstance(n, bool) for n in given)
    if not whole or len(given) not in (2, 3) or min(given) < 1:
        return None
    return tuple(int(n) for n in given)


def _block(
    shape: tuple[int, int, int], halo: Halo, chunk: tuple[int, int, int], asked: Asked
) -> tuple[int, int, int]:
    """The block asked for, or whole source chunks wide enough that the halo costs little."""
    asked = _checked(asked)
    wanted: tuple[int | None, ...] = (None,) * 3
    if asked is not None:
        wanted = asked if len(asked) == 3 else (None, *asked)
    sides = []
    axes = zip("tyx", shape, (halo.t, halo.y, halo.x), chunk, wanted, strict=True)
    for axis, size, far, own, wish in axes:
        if far is None and wish is not None and wish < size:
            raise JobError(
                f"a block of {asked} pixels is too small: the method looks along the whole of "
                f"{axis} ({size}); give it a finite reach where it has that option, or leave out "
                "the size of blocks"
            )
        least = max(DATES if axis == "t" else SIDE, 4 * (far or 0))
        side = wish or (size if far is None else math.ceil(least / own) * own)
        sides.append(min(side, size))
    return sides[0], sides[1], sides[2]
