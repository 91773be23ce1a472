"""U-Net, a rival of the paper: sees values and mask, answers like a neural process.

Ronneberger et al. 2015 (arXiv 1505.04597): four levels, two convolutions with batch normalisation
a level (its running statistics at inference, so that no tile matters), max pooling, transposed
convolutions, skips. The input is the standardised image with zeros in its gaps, and the mask. It is
given our frame, the exchange between bands and a Gaussian head, so that the same loss trains it.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from xinpaint.nets.frame import Between, answer, standardise

STRIDE = 8


def _double(inside: int, width: int, count: int = 2) -> nn.Sequential:
    """`count` times convolution, batch normalisation, ReLU."""
    layers: list[nn.Module] = []
    for k in range(count):
        layers += [
            nn.Conv2d(width if k else inside, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
        ]
    return nn.Sequential(*layers)


class UNet(nn.Module):
    """U-Net with a Gaussian head.

    Parameters
    ----------
    widths : (int, int, int, int)
        Channels at 1, 1/2, 1/4 and 1/8 of the resolution.
    shared : int
        Channels through which bands exchange what they see, at the bottom and at the top.
    """

    stride = STRIDE

    def __init__(self, widths: Sequence[int] = (24, 48, 96, 128), shared: int = 32) -> None:
        super().__init__()
        w0, w1, w2, w3 = widths
        self.enter0, self.enter1, self.enter2 = _double(2, w0), _double(w0, w1), _double(w1, w2)
        self.deep = _double(w2, w3, 1)
        self.between = Between(w3, shared)
        self.up2, self.leave2 = nn.ConvTranspose2d(w3, w2, 2, stride=2), _double(2 * w2, w2)
        self.up1, self.leave1 = nn.ConvTranspose2d(w2, w1, 2, stride=2), _double(2 * w1, w1)
        self.up0, self.leave0 = nn.ConvTranspose2d(w1, w0, 2, stride=2), _double(2 * w0, w0)
        self.between0 = Between(w0, shared)
        self.head = nn.Conv2d(w0, 2, 1)
        self.temperature: Tensor
        self.register_buffer("temperature", torch.ones(()))

    @property
    def reach(self) -> int:
        """Pixels that context can be away and matter: statistics + trunk."""
        return max(12 + 2 * (2 + 4 + 8) + 8 + STRIDE - 1, 64)

    def forward(self, values: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of every pixel, in the unit of `values`.

        Parameters
        ----------
        values, context : float32 ``[n b y x]``
            y and x multiples of 8, aligned to the grid; values are read under context (1.0) only.

        Returns
        -------
        mean, std : float32 ``[n b y x]``
            NaN where too little context is in reach.
        """
        values = torch.where(context > 0, values, torch.zeros_like(values))
        frame, bands = standardise(values, context), values.shape[1]
        x = torch.stack([frame.z, context], 2).flatten(0, 1)
        x0 = self.enter0(x.contiguous(memory_format=torch.channels_last))
        x1 = self.enter1(F.max_pool2d(x0, 2))
        x2 = self.enter2(F.max_pool2d(x1, 2))
        x = self.between(self.deep(F.max_pool2d(x2, 2)), bands)
        x = self.leave2(torch.cat([self.up2(x), x2], 1))
        x = self.leave1(torch.cat([self.up1(x), x1], 1))
        x = self.between0(self.leave0(torch.cat([self.up0(x), x0], 1)), bands)
        out = self.head(x).float().unflatten(0, (-1, bands))
        scale = 0.01 + 0.99 * F.softplus(out[:, :, 1])
        return answer(frame, out[:, :, 0], scale * self.temperature)
