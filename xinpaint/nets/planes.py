"""Planes ``[n b y x]`` in units, and at half the resolution: small steps between nets' layers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import reduce
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

#: Lines at half the resolution whose layers stay in a processor's caches.
STRIP = 16


def each(function: Callable[..., Tensor], *parts: Tensor, out: Tensor | None = None) -> Tensor:
    """`function` of the rows of `parts`, one row at a time where nothing is learned on a CPU.

    A row's layers then stay in the processor's caches, and none of all rows is ever held at once.

    Parameters
    ----------
    function : callable
        Takes a row (length 1 along the first axis) of each part, returns one; rows do not meet.
    parts : Tensor ``[rows ...]``
    out : Tensor ``[rows ...]``, optional
        Where answers may be written, a part that is not needed any more.
    """
    rows = pieces(len(parts[0]), parts[0])
    if len(rows) == 1:
        return function(*parts)
    for one in rows:
        row = function(*(part[one] for part in parts))
        if out is None:
            out = _rows_like(row, len(parts[0]))
        out[one] = row
    assert out is not None
    return out


def pieces(count: int, x: Tensor) -> list[slice]:
    """`count` rows or bands one by one where nothing is learned on a CPU, else all at once."""
    if count == 1 or x.device.type != "cpu" or torch.is_grad_enabled():
        return [slice(None)]
    return [slice(k, k + 1) for k in range(count)]


def strips(function: Callable[..., Tensor], x: Tensor, *planes: Tensor) -> Tensor:
    """`function` of a few lines at a time where nothing is learned on a CPU.

    Parameters
    ----------
    function : callable
        Takes lines of `x` and twice as many of each of `planes`, looks at each pixel by itself,
        and returns as many lines as `planes` have.
    x : Tensor ``[rows channels y/2 x/2]``
    planes : Tensor ``[rows channels y x]``
    """
    if x.device.type != "cpu" or torch.is_grad_enabled():
        return function(x, *planes)
    lines = zip(x.split(STRIP, 2), *(part.split(2 * STRIP, 2) for part in planes), strict=True)
    return torch.cat([function(*some) for some in lines], 2)


def _rows_like(row: Tensor, count: int) -> Tensor:
    shape, kind = (count, *row.shape[1:]), torch.contiguous_format
    if row.ndim == 4 and row.is_contiguous(memory_format=torch.channels_last):
        kind = torch.channels_last
    return torch.empty(shape, dtype=row.dtype, device=row.device, memory_format=kind)


def unit(x: Tensor, scale: Tensor, where: Tensor) -> Tensor:
    """`x` in units of `scale`, within ±20; 0 elsewhere and where the scale is 0."""
    live = where & (scale > 0)
    x = torch.where(live, x, torch.zeros_like(x))
    return (x / torch.where(live, scale, torch.ones_like(scale))).clamp(-20, 20)


def root(x: Tensor) -> Tensor:
    """Square root whose gradient at 0 is 0, not infinite."""
    live = x > 0
    return torch.where(live, torch.where(live, x, torch.ones_like(x)).sqrt(), torch.zeros_like(x))


def half(x: Tensor) -> Tensor:
    """``[n b y x]`` averaged to half the resolution, ``[n·b 1 y/2 x/2]``."""
    return F.avg_pool2d(x.flatten(0, 1)[:, None].float(), 2)


def quarters(x: Tensor) -> Tensor:
    """``[n b y x]`` to four channels of half the resolution, ``[n·b 4 y/2 x/2]``."""
    return F.pixel_unshuffle(x.flatten(0, 1)[:, None], 2)


def shuffled(planes: Sequence[Tensor], more: Sequence[Tensor]) -> Tensor:
    """Planes ``[n b y x]`` four channels each, then `more` ``[n·b c y/2 x/2]``; channels last."""
    # two neighbours in a row are moved as one complex number: four times as fast as one by one
    plain = [x.flatten(0, 1).contiguous() for x in planes]
    pairs = [torch.view_as_complex(x.unflatten(-1, (-1, 2))) for x in plain]
    cells = [x.unflatten(-2, (-1, 2)).transpose(-2, -1) for x in pairs]
    near = torch.view_as_real(torch.stack(cells, 3)).flatten(3)
    return torch.cat([near, *(x.movedim(1, -1) for x in more)], -1).movedim(-1, 1)


def total(parts: Iterable[Tensor]) -> Tensor:
    """Sum of tensors, added one by one: a stack of them would be one more copy of each."""
    return reduce(torch.add, parts)


def lone(x: Tensor) -> Tensor:
    """``[n b y x]`` as rows of one plane, ``[n·b 1 y x]``."""
    return x.reshape(-1, 1, *x.shape[2:])


def raised(up: nn.Module, x: Tensor, coarser: Tensor) -> Tensor:
    """`x`, and what the coarser grid adds to it."""
    made: Tensor = up(F.relu(coarser))
    return made.add_(x)


def full(x: Tensor, shape: torch.Size) -> Tensor:
    """``[n·b 4 y/2 x/2]`` back to ``[n b y x]``."""
    return F.pixel_shuffle(x, 2).reshape(shape)


def bands_of(part: Any, one: slice) -> Any:
    """Some bands of tensors ``[n b ...]``, in tuples and lists, too; what has none stays."""
    if part is None:
        return None
    if isinstance(part, Tensor):
        return part[:, one] if part.ndim > 3 and part.shape[1] > 1 else part
    told = [bands_of(inner, one) for inner in part]
    return type(part)(*told) if hasattr(part, "_fields") else told


def joined(parts: Sequence[Any]) -> Any:
    """Tensors ``[n b ...]`` of some bands each, in tuples and lists, too, as those of all bands."""
    first = parts[0]
    if first is None:
        return None
    if isinstance(first, Tensor):
        return torch.cat(list(parts), 1)
    told = [joined(some) for some in zip(*parts, strict=True)]
    return type(first)(*told) if hasattr(first, "_fields") else told
