"""Set convolutions on the grid, and the local statistics that make units not matter.

On a grid a ConvCNP's set convolution is an ordinary convolution of two channels: the density
(where there is context) and the signal (the context's values), the second divided by the first
(Gordon et al. 2020, "Convolutional conditional neural processes").
"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from xinpaint.nets.planes import each, lone

#: A spread this small against the mean is float32 rounding: the context is flat.
FLAT = 2e-6


def window_sum(x: Tensor, radius: int) -> Tensor:
    """Sum of ``[n b y x]`` under a triangular window of reach 2·radius, zeros beyond the edge."""
    if radius >= 16 or x.dtype == torch.float64:
        wide = x.double()
        for _ in range(2):
            wide = _running_sum(_running_sum(wide, radius, -1), radius, -2)
        return wide.to(x.dtype)
    size = 2 * radius + 1
    for _ in range(2):
        x = F.avg_pool2d(x, (1, size), 1, (0, radius), divisor_override=1)
        x = F.avg_pool2d(x, (size, 1), 1, (radius, 0), divisor_override=1)
    return x


def _running_sum(x: Tensor, radius: int, axis: int) -> Tensor:
    """Sum over 2·radius + 1 neighbours along one axis, of sums over 1, 2, 4, ... of them.

    Nothing outside the window is ever added, so a value far away cannot matter, not even by its
    rounding, and the order is the same wherever the window lies: differences of one sum from the
    edge on would cost as much, and depend on the tile.
    """
    size, window = x.shape[axis], 2 * radius + 1
    edge = (radius, radius) if axis == -1 else (0, 0, radius, radius)
    power, width, done = F.pad(x, edge), 1, 0
    total: Tensor | None = None
    while True:
        if window & width:
            part = power.narrow(axis, done, size)
            total, done = part if total is None else total + part, done + width
        if 2 * width > window:
            assert total is not None
            return total
        rest = power.shape[axis] - width
        power = power.narrow(axis, 0, rest) + power.narrow(axis, width, rest)
        width *= 2


def local_statistics(values: Tensor, density: Tensor, radius: int) -> tuple[Tensor, Tensor]:
    """Local mean and spread of the context around every pixel, with finite reach.

    Parameters
    ----------
    values : float ``[n b y x]``
        Zero outside the context.
    density : float ``[n b y x]``
        :func:`local_density` of the context for this radius.
    radius : int
        The window is triangular and reaches 2·radius pixels.

    Returns
    -------
    mean, spread : float ``[n b y x]``
        NaN mean and spread where no context is in reach; spread 0 where the context is flat.
        In double precision and without any absolute constant: for a > 0, values → a·values + b
        gives a·mean + b and a·spread.
    """
    both = each(partial(_moments, radius), lone(values), lone(density))
    both = both.unflatten(0, values.shape[:2])
    return both[:, :, 0], both[:, :, 1]


def local_mean(values: Tensor, density: Tensor, radius: int) -> Tensor:
    """The mean of :func:`local_statistics` alone, at half the cost."""
    mean = each(partial(_mean, radius), lone(values), lone(density))
    return mean.reshape(values.shape)


def local_density(context: Tensor, radius: int) -> Tensor:
    """The weight of the context (1 where observed, else 0) in the window around every pixel."""
    one = context[:, :1] if bool((context == context[:, :1]).all()) else context
    return window_sum(one.double(), radius).to(context.dtype).expand_as(context)


def _mean(radius: int, values: Tensor, density: Tensor) -> Tensor:
    known = density > 0.5
    mean = window_sum(values.double(), radius) / torch.where(
        known, density, torch.ones_like(density)
    )
    return torch.where(known, mean.to(values.dtype), torch.full_like(values, torch.nan))


def _moments(radius: int, values: Tensor, density: Tensor) -> Tensor:
    """Mean and spread as two channels ``[m 2 y x]``, from values and density ``[m 1 y x]``."""
    known = density > 0.5
    weight = torch.where(known, density, torch.ones_like(density))
    exact = values.double()
    mean = window_sum(exact, radius) / weight
    spread = (window_sum(exact * exact, radius) / weight - mean * mean).clamp_min(0).sqrt()
    spread = torch.where(spread > FLAT * mean.abs(), spread, torch.zeros_like(spread))
    lost = torch.full_like(values, torch.nan)
    parts = (torch.where(known, part.to(values.dtype), lost) for part in (mean, spread))
    return torch.cat(list(parts), 1)


class SetConv(nn.Module):
    """Normalised set convolution with learned positive weights: signal and density channels.

    Parameters
    ----------
    size : int
        Side of the kernel, odd; the reach is size // 2 pixels.
    """

    def __init__(self, size: int = 5) -> None:
        super().__init__()
        axis = torch.arange(size, dtype=torch.float32) - size // 2
        kernel = torch.exp(-0.5 * (axis[:, None] ** 2 + axis[None, :] ** 2))
        self.kernel = nn.Parameter(kernel[None, None])

    def forward(self, z: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        """Signal and density of ``z`` ``[m 1 y x]`` (zero outside `context`, of the same shape)."""
        kernel = self.kernel.abs()
        pad = kernel.shape[-1] // 2
        density = F.conv2d(context, kernel, padding=pad)
        signal = F.conv2d(z, kernel, padding=pad)
        share = density / kernel.sum()
        return signal / density.clamp_min(1e-6 * kernel.sum()) * (density > 0), share
