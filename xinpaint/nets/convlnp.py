"""ConvLNP: a latent Gaussian per location, so that answers can be drawn that hang together.

Foong et al. 2020, "Meta-learning stationary stochastic process prediction with convolutional neural
processes" (arXiv 2007.01332): a ConvCNP encoder gives every location (here: every 2 × 2 cell) a
latent Gaussian; a decoder turns a draw of them into an image. Trained by the Monte-Carlo
likelihood of whole tasks; at inference moments over the draws, or single draws.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from xinpaint.nets.convcnp import Block
from xinpaint.nets.frame import Frame, answer, standardise
from xinpaint.nets.levels import Settle
from xinpaint.nets.planes import lone
from xinpaint.nets.setconv import SetConv

#: Pixels along an edge of a location.
CELL = 2


class _Trunk(nn.Module):
    """Two levels: blocks at the cells and at twice their size."""

    def __init__(self, width: int, deep: int, shared: int, blocks: int) -> None:
        super().__init__()
        self.enter = Block(width, shared)
        self.down = nn.Conv2d(width, deep, 2, stride=2)
        self.deep = nn.ModuleList(Block(deep, shared) for _ in range(blocks))
        self.up = nn.ConvTranspose2d(deep, width, 2, stride=2)
        self.leave = Block(width, 0)

    def forward(self, x: Tensor, bands: int) -> Tensor:
        """``[n·b width y/2 x/2]`` in and out."""
        x = self.enter(x, bands)
        y = self.down(x)
        for block in self.deep:
            y = block(y, bands)
        return F.relu(self.leave(x + self.up(F.relu(y)), bands))


class ConvLNP(nn.Module):
    """Latent neural process on the grid.

    Parameters
    ----------
    widths : (int, int)
        Channels a band at 1/2 and 1/4 of the resolution, in encoder and decoder.
    shared : int
        Channels of the branch shared by all bands.
    latents : int
        Latent channels of a location.
    draws : int
        Samples while training.
    levels : bool
        Also look at how the level changes across each pixel and far around it.
    between : sequence of int
        Radii of windows between the near and the far one, for the middle of wide gaps.
    direct : bool
        The decoder sees what the encoder saw beside the draw, which then tells the rest only.
    """

    stride = 4
    cell = CELL

    def __init__(
        self,
        widths: Sequence[int] = (32, 64),
        shared: int = 48,
        latents: int = 16,
        draws: int = 4,
        levels: bool = False,
        between: Sequence[int] = (),
        direct: bool = False,
    ) -> None:
        super().__init__()
        width, deep = widths
        self.latents, self.draws, self.direct = latents, draws, direct
        self.levels, self.between = levels, tuple(between)
        self.setconv = SetConv(5)
        self.stem = nn.Conv2d((7 if levels else 4) * CELL**2, width, 3, padding=1)
        self.encoder = _Trunk(width, deep, shared, 2)
        self.latent = nn.Conv2d(width, 2 * latents, 1)
        self.begin = nn.Conv2d(latents + (width if direct else 0), width, 1)
        self.decoder = _Trunk(width, deep, 0, 1)
        self.head = nn.Conv2d(width, 2 * CELL**2, 1)
        self.settle = Settle(width) if levels else None
        self.temperature: Tensor
        self.register_buffer("temperature", torch.ones(()))

    @property
    def reach(self) -> int:
        """Pixels that context can be away and matter: statistics + set convolution + trunks."""
        encoder, decoder = 2 * (1 + 2 + 2) + 2 * 4 * 2, 2 * (2 + 2) + 4 * 2
        return max(12 + 2 + encoder + decoder + self.stride - 1, 64)

    def forward(
        self, values: Tensor, context: Tensor, noise: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Moments over the draws, in the unit of `values`.

        Parameters
        ----------
        values, context : float32 ``[n b y x]``
            y and x multiples of 4, aligned to the grid; values are read under context (1.0) only.
        noise : float32 ``[draws n latents y/2 x/2]``, optional
            Standard normal; drawn where not given.

        Returns
        -------
        mean, std : float32 ``[n b y x]``
            NaN where too little context is in reach.
        """
        mean, apart, within = (torch.zeros_like(values) for _ in range(3))
        count = 0
        for one, std in self._each(values, context, noise):  # Welford 1962: one draw in memory
            count += 1
            moved = one - mean
            mean = mean + moved / count
            apart = apart + moved * (one - mean)
            within = within + std**2
        return mean, ((apart + within) / count).sqrt() * self.temperature

    def samples(
        self, values: Tensor, context: Tensor, noise: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Each draw's mean and standard deviation, ``[draws n b y x]``."""
        means, stds = zip(*self._each(values, context, noise), strict=True)
        return torch.stack(means), torch.stack(stds)

    def _each(
        self, values: Tensor, context: Tensor, noise: Tensor | None
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """One draw after the other."""
        values = torch.where(context > 0, values, torch.zeros_like(values))
        frame = standardise(values, context, levels=self.levels, between=self.between)
        x, bands = self._encode(frame, context), values.shape[1]
        centre, scale = self.latent(x).float().chunk(2, 1)
        scale = 0.01 + 0.99 * torch.sigmoid(scale)
        if noise is None:
            shape = (self.draws, len(values), *centre.shape[1:])
            noise = torch.randn(shape, device=centre.device)
        for draw in noise:
            z = centre + scale * draw.repeat_interleave(bands, 0)
            yield self._decode(frame, torch.cat([z, F.relu(x)], 1) if self.direct else z, bands)

    def _encode(self, frame: Frame, context: Tensor) -> Tensor:
        """What is seen around each location, ``[n·b width y/2 x/2]``."""
        bands = context.shape[1]
        z, context, *levels = (lone(x) for x in (frame.z, context, *(frame.levels or ())))
        near = torch.cat([z, context, *self.setconv(z, context), *levels[:3]], 1)
        x = F.pixel_unshuffle(near, CELL).contiguous(memory_format=torch.channels_last)
        seen: Tensor = self.encoder(F.relu(self.stem(x)), bands)
        return seen

    def _decode(self, frame: Frame, z: Tensor, bands: int) -> tuple[Tensor, Tensor]:
        x = self.decoder(F.relu(self.begin(z)), bands)
        out = F.pixel_shuffle(self.head(x), CELL)
        if self.settle is not None and frame.levels is not None:
            wide = (lone(x) for x in frame.levels[3:])
            out = out + self.settle(F.relu(x), out, *wide)
        out = out.float().unflatten(0, (-1, bands))
        return answer(frame, out[:, :, 0], 0.01 + 0.99 * F.softplus(out[:, :, 1]))
