"""Planes ``[n b y x]`` in units, and at half the resolution: small steps between nets' layers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import reduce

import torch
from torch import Tensor
from torch.nn import functional as F


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


def full(x: Tensor, shape: torch.Size) -> Tensor:
    """``[n·b 4 y/2 x/2]`` back to ``[n b y x]``."""
    return F.pixel_shuffle(x, 2).reshape(shape)
