"""A landscape has no up: a net may look at it in several orientations and answer once.

The mean of what it says of an image as it is, by half a turn, mirrored, and upside down is blind to
these turns, and nearer to the truth than any one of them: what the net learned of one orientation
alone averages out (Cohen and Welling 2016, "Group equivariant convolutional networks", arXiv
1602.07576, build the same into every layer).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor

from xinpaint.nets.levels import Levels

#: Axes to be flipped, in the order in which orientations are added.
ORIENTATIONS: tuple[tuple[int, ...], ...] = ((), (-2, -1), (-1,), (-2,))
#: How many of them there may be: more than one that make a group.
COUNTS = (1, 2, 4)


def flipped(part: Any, axes: tuple[int, ...]) -> Any:
    """Tensors ``[n b y x]`` flipped, in tuples and lists, too; what has no pixels stays."""
    if part is None or not axes:
        return part
    if isinstance(part, Tensor):
        return part.flip(axes) if part.ndim > 3 else part
    told = [flipped(inner, axes) for inner in part]
    if not hasattr(part, "_fields"):
        return told
    made = type(part)(*told)
    if isinstance(made, Levels):  # what rises to the right falls to the left
        down, across = (-1 if axis in axes else 1 for axis in (-2, -1))
        made = made._replace(down=down * made.down, across=across * made.across)
    return made


def averaged(
    function: Callable[[tuple[int, ...]], tuple[Tensor, Tensor]], turns: int
) -> tuple[Tensor, Tensor]:
    """The mean of two answers over orientations.

    Parameters
    ----------
    function : callable
        Takes the axes to be flipped, and answers in that orientation ``[n b y x]``.
    turns : {1, 2, 4}
        How many orientations.
    """
    first, second = function(())
    if turns == 1:
        return first, second
    for axes in ORIENTATIONS[1:turns]:
        one, two = function(axes)
        first, second = first + one.flip(axes), second + two.flip(axes)
    return first / turns, second / turns


def check_turns(turns: int) -> int:
    """How many orientations, one of :data:`COUNTS`.

    Raises
    ------
    ValueError
        If it is none of them.
    """
    if isinstance(turns, (bool, float)) or turns not in COUNTS:
        raise ValueError(f"turns = {turns!r}: use one of {list(COUNTS)}")
    return turns
