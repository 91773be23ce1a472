"""The ConvCNP as published, on the grid: what the paper's experiment ran.

Set convolution with absolute-valued weights (k = 11), the signal divided by the density → residual
blocks of depthwise-separable convolutions (k = 9) at full resolution → a mean and a bounded scale
per pixel (Gordon et al. 2020, arXiv 1910.13556; layers as in Dubois, Gordon and Foong 2020, Neural
Process Family). Ours are the frame around it and the exchange between bands after each block.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from xinpaint.nets.frame import Between, answer, standardise
from xinpaint.nets.setconv import SetConv

STRIDE = 8


class Separable(nn.Module):
    """Residual block of two depthwise-separable convolutions."""

    def __init__(self, width: int, kernel: int) -> None:
        super().__init__()
        each, pad = {"groups": width, "bias": False}, kernel // 2
        self.wide1 = nn.Conv2d(width, width, kernel, padding=pad, **each)  # type: ignore[arg-type]
        self.mix1 = nn.Conv2d(width, width, 1)
        self.wide2 = nn.Conv2d(width, width, kernel, padding=pad, **each)  # type: ignore[arg-type]
        self.mix2 = nn.Conv2d(width, width, 1)
        nn.init.normal_(self.mix2.weight, std=0.01)

    def forward(self, x: Tensor) -> Tensor:
        """``[m width y x]`` in and out."""
        deeper: Tensor = self.mix2(self.wide2(F.relu(self.mix1(self.wide1(F.relu(x))))))
        return x + deeper


class OnGridConvCNP(nn.Module):
    """ConvCNP on the grid as published.

    Parameters
    ----------
    width, blocks, kernel : int
        Channels a band, residual blocks, and side of their depthwise convolutions.
    shared : int
        Channels through which bands exchange what they see.
    """

    stride = STRIDE

    def __init__(self, width: int = 64, blocks: int = 4, kernel: int = 9, shared: int = 32) -> None:
        super().__init__()
        self.setconv = SetConv(11)
        self.enter = nn.Conv2d(2, width, 1)
        self.blocks = nn.ModuleList(Separable(width, kernel) for _ in range(blocks))
        self.between = nn.ModuleList(Between(width, shared) for _ in range(blocks))
        self.head = nn.Sequential(nn.Conv2d(width, width, 1), nn.ReLU(), nn.Conv2d(width, 2, 1))
        self.kernel = kernel
        self.temperature: Tensor
        self.register_buffer("temperature", torch.ones(()))

    @property
    def reach(self) -> int:
        """Pixels that context can be away and matter: statistics + set convolution + trunk."""
        return max(12 + 5 + len(self.blocks) * 2 * (self.kernel // 2), 64)

    def forward(self, values: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of every pixel, in the unit of `values`.

        Parameters
        ----------
        values, context : float32 ``[n b y x]``
            Values are read under context (1.0) only.

        Returns
        -------
        mean, std : float32 ``[n b y x]``
            NaN where too little context is in reach.
        """
        values = torch.where(context > 0, values, torch.zeros_like(values))
        frame, bands = standardise(values, context), values.shape[1]
        signal, density = self.setconv(
            frame.z.flatten(0, 1)[:, None], context.flatten(0, 1)[:, None]
        )
        x = self.enter(
            torch.cat([signal, density], 1).contiguous(memory_format=torch.channels_last)
        )
        for block, between in zip(self.blocks, self.between, strict=True):
            x = between(block(x), bands)
        out = self.head(x).float().unflatten(0, (-1, bands))
        scale = 0.01 + 0.99 * F.softplus(out[:, :, 1])
        return answer(frame, out[:, :, 0], scale * self.temperature)
