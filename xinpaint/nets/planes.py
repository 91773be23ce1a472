"""Planes ``[n b y x]`` in units, and at half the resolution: small steps between nets' layers."""

from __future__ import annotations

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


def full(x: Tensor, shape: torch.Size) -> Tensor:
    """``[n·b 4 y/2 x/2]`` back to ``[n b y x]``."""
    return F.pixel_shuffle(x, 2).reshape(shape)
