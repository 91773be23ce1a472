"""The default's part of space: a ConvCNP for any set of bands, blind to radiometric units.

Set convolution of each band's context (signal, density) → a U-Net whose filters are the same for
every band and which exchanges what it sees between bands by a mean over them (deep sets: any
number of bands, any order) → a Gaussian per pixel (Gordon et al. 2020; Zaheer et al. 2017).
No statistic over a tile, batch or image: the reach is finite and known (:attr:`ConvCNP.reach`).
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from xinpaint.nets.frame import Frame, answer, standardise
from xinpaint.nets.levels import Levels
from xinpaint.nets.planes import each, lone, raised, strips
from xinpaint.nets.setconv import SetConv
from xinpaint.nets.turns import averaged, check_turns, flipped

STRIDE = 8


class Block(nn.Module):
    """Residual block on each band, with a branch that is shared by all bands of an image."""

    def __init__(self, width: int, shared: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        self.gather = nn.Conv2d(width, shared, 3, padding=1) if shared else None
        self.spread = nn.Conv2d(shared, width, 1) if shared else None
        nn.init.normal_(self.second.weight, std=0.01)

    def forward(self, x: Tensor, bands: int) -> Tensor:
        """``[n·bands width y x]`` in and out; without gradients the input may be written over."""
        if self.gather is None or self.spread is None:
            return each(self._deepen, x, out=x)
        pooled = x.unflatten(0, (-1, bands)).mean(1)
        told = self.spread(F.relu(self.gather(pooled), inplace=True))
        told = told[:, None].expand(-1, bands, -1, -1, -1).flatten(0, 1)
        return each(self._deepen, x, told, out=x)

    def _deepen(self, x: Tensor, told: Tensor | None = None) -> Tensor:
        y: Tensor = self.first(x)
        if told is not None:
            y.add_(told)
        deeper: Tensor = self.second(F.relu(y, inplace=True))
        return deeper.add_(x)


class Seen(NamedTuple):
    """What the convolutions look at, ``[n b y x]``: z-scores, context (0 or 1), and levels."""

    z: Tensor
    context: Tensor
    levels: Levels | None


class ConvCNP(nn.Module):
    """Conditional neural process on the grid.

    Parameters
    ----------
    widths : (int, int, int)
        Channels a band at 1/2, 1/4 and 1/8 of the resolution.
    shared : (int, int, int)
        Channels of the branch shared by all bands at each of these levels; 0 = none.
    radius : int
        The local statistics reach 2·radius pixels.
    far : int
        Statistics reaching 2·far pixels hold up the scale where near context is scarce.
    levels : bool
        Also look at how the level changes across each pixel and far around it.
    between : sequence of int
        Radii of windows between `radius` and `far`, for the middle of wide gaps.
    turns : {1, 2, 4}
        Orientations whose answers are averaged (:mod:`xinpaint.nets.turns`); one in training.
    """

    stride = STRIDE

    def __init__(
        self,
        widths: tuple[int, int, int] = (32, 48, 80),
        shared: tuple[int, int, int] = (0, 48, 96),
        radius: int = 6,
        far: int = 32,
        levels: bool = False,
        between: tuple[int, ...] = (),
        turns: int = 1,
    ) -> None:
        super().__init__()
        w0, w1, w2 = widths
        self.radius, self.far, self.levels, self.between = radius, far, levels, tuple(between)
        self.turns = check_turns(turns)
        self.setconv = SetConv(5)
        self.stem = nn.Conv2d(28 if levels else 16, w0, 3, padding=1)
        self.enter0 = Block(w0, shared[0])
        self.down1 = nn.Conv2d(w0 + 2, w1, 2, stride=2)
        self.enter1 = Block(w1, shared[1])
        self.down2 = nn.Conv2d(w1 + 2, w2, 2, stride=2)
        self.deep = Block(w2, shared[2])
        self.up1 = nn.ConvTranspose2d(w2, w1, 2, stride=2)
        self.leave1 = Block(w1, shared[1])
        self.up0 = nn.ConvTranspose2d(w1, w0, 2, stride=2)
        self.leave0 = Block(w0, shared[0])
        self.head = nn.Conv2d(w0, 8, 1)
        if levels:
            self.rich = nn.Conv2d(w0, 32, 1)
            self.weigh = nn.Conv2d(8 + 2 + 2, 24, 1)
            self.settle = nn.Conv2d(24, 2, 1)
            nn.init.zeros_(self.settle.weight)
            nn.init.zeros_(self.settle.bias)  # type: ignore[arg-type]
        self.temperature: Tensor
        self.register_buffer("temperature", torch.ones(()))

    @property
    def reach(self) -> int:
        """Pixels that context can be away and matter: statistics + set convolution + trunk."""
        trunk = 2 * (1 + 2 + 2) + 4 * (2 + 2) + 8 * 2 + (STRIDE - 1)
        return max(2 * self.radius + 2 + trunk, 2 * self.far)

    def forward(
        self, values: Tensor, context: Tensor, *, turns: int | None = None
    ) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of every pixel, in the unit of `values`.

        Parameters
        ----------
        values, context : float32 ``[n b y x]``
            y and x multiples of 8, aligned to the grid; values are read under context (1.0) only.
        turns : {1, 2, 4}, optional
            Orientations, other than the net's own number of them.

        Returns
        -------
        mean, std : float32 ``[n b y x]``
            NaN where too little context is in reach.
        """
        values = torch.where(context > 0, values, torch.zeros_like(values))
        return self.respond(self.frame(values, context), context, turns)

    def frame(self, values: Tensor, context: Tensor) -> Frame:
        """Standardised context, and the unit in which it is answered."""
        return standardise(
            values, context, self.radius, self.far, levels=self.levels, between=self.between
        )

    def respond(
        self, frame: Frame, context: Tensor, turns: int | None = None
    ) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation, from the standardised context."""
        count = turns or (1 if self.training else self.turns)
        seen = Seen(frame.z, context, frame.levels)
        offset, scale = averaged(lambda axes: self.trunk(flipped(seen, axes)), count)
        return answer(frame, offset, scale * self.temperature)

    def trunk(self, seen: Seen) -> tuple[Tensor, Tensor]:
        """Offset and scale in units of the local spread, from standardised context."""
        shape, bands = seen.z.shape, seen.z.shape[1]
        z, context, *levels = (lone(x) for x in (seen.z, seen.context, *(seen.levels or ())))
        x0 = self.enter0(each(self._begin, z, context, *levels[:3]), bands)
        x1 = self.enter1(each(partial(_lower, self.down1, 2), x0, z, context), bands)
        x2 = self.deep(each(partial(_lower, self.down2, 4), x1, z, context), bands)
        x1 = self.leave1(each(partial(raised, self.up1), x1, x2, out=x1), bands)
        x0 = self.leave0(each(partial(raised, self.up0), x0, x1, out=x0), bands)
        # in mixed precision only the trunk is coarse
        out = each(self._end, x0, *levels[3:]).unflatten(0, shape[:2]).float()
        return out[:, :, 0], 0.01 + F.softplus(out[:, :, 1])

    def _begin(self, z: Tensor, context: Tensor, *slopes: Tensor) -> Tensor:
        near = torch.cat([z, context, *self.setconv(z, context), *slopes], 1)
        near = F.pixel_unshuffle(near, 2).contiguous(memory_format=torch.channels_last)
        return F.relu(self.stem(near), inplace=True)

    def _end(self, x: Tensor, *wide: Tensor) -> Tensor:
        return strips(self._settle, x, *wide) if wide else F.pixel_shuffle(self.head(F.relu(x)), 2)

    def _settle(self, x: Tensor, *wide: Tensor) -> Tensor:
        x = F.relu(x)
        out = F.pixel_shuffle(self.head(x), 2)
        told = torch.cat([F.pixel_shuffle(self.rich(x), 2), out, *wide], 1)
        settled: Tensor = out + self.settle(F.relu(self.weigh(told)))
        return settled


def _lower(down: nn.Module, size: int, x: Tensor, z: Tensor, context: Tensor) -> Tensor:
    """To the next coarser grid, with the context as it looks there."""
    lower: Tensor = down(torch.cat([x, *_cells(z, context, size)], 1))
    return lower


def _cells(z: Tensor, context: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """The set convolution on a coarser grid: mean of the context in each cell, and its density."""
    density = F.avg_pool2d(context, size)
    return F.avg_pool2d(z, size) / density.clamp_min(1e-6), density
