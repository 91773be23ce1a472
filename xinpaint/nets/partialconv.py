"""PartialConv, a rival of the paper: convolutions that know which pixels are there.

Liu et al. 2018, "Image inpainting for irregular holes using partial convolutions"
(arXiv 1804.07723): each convolution sees only what is there and is scaled up by how much is
missing; what it could answer is there for the next one. It gives a mean and no spread. Batch
normalisation uses its running statistics at inference, so that no tile matters.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from xinpaint.nets.frame import Between, answer, standardise

STRIDE = 8


class Partial(nn.Module):
    """Partial convolution, batch normalisation and activation; hands on values and mask."""

    def __init__(self, inside: int, width: int, kernel: int, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inside, width, kernel, stride, kernel // 2, bias=False)
        self.bias = nn.Parameter(torch.zeros(width, 1, 1))
        self.norm = nn.BatchNorm2d(width)

    def forward(self, x: Tensor, there: Tensor) -> tuple[Tensor, Tensor]:
        """Values ``[m inside y x]``, zero where `there` ``[m 1 y x]`` is; both for the output."""
        size, stride = self.conv.kernel_size[0], self.conv.stride[0]
        share = F.avg_pool2d(there, size, stride, size // 2)
        known = (share > 0).to(x.dtype)
        y = self.conv(x) / share.clamp_min(0.5 / size**2) + self.bias
        return F.leaky_relu(self.norm(y * known), 0.1) * known, known


class PartialConv(nn.Module):
    """U-shaped net of partial convolutions.

    Parameters
    ----------
    widths : (int, int, int, int)
        Channels at 1, 1/2, 1/4 and 1/8 of the resolution.
    shared : int
        Channels through which bands exchange what they see, at the bottom.
    """

    stride = STRIDE
    probabilistic = False

    def __init__(self, widths: Sequence[int] = (24, 48, 96, 128), shared: int = 32) -> None:
        super().__init__()
        w0, w1, w2, w3 = widths
        self.enter0 = Partial(1, w0, 5)
        self.enter1 = Partial(w0, w1, 5, 2)
        self.enter2 = Partial(w1, w2, 3, 2)
        self.enter3 = Partial(w2, w3, 3, 2)
        self.deep = Partial(w3, w3, 3)
        self.between = Between(w3, shared)
        self.leave2 = Partial(w3 + w2, w2, 3)
        self.leave1 = Partial(w2 + w1, w1, 3)
        self.leave0 = Partial(w1 + w0, w0, 3)
        self.head = nn.Conv2d(w0, 1, 1)
        self.temperature: Tensor
        self.register_buffer("temperature", torch.ones(()))

    @property
    def reach(self) -> int:
        """Pixels that context can be away and matter: statistics + trunk."""
        return max(12 + 2 + 2 + 2 + 4 + 8 + 4 + 2 + 1 + STRIDE - 1, 64)

    def forward(self, values: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        """Mean of every pixel, in the unit of `values`, and a standard deviation of NaN.

        Parameters
        ----------
        values, context : float32 ``[n b y x]``
            y and x multiples of 8, aligned to the grid; values are read under context (1.0) only.
        """
        values = torch.where(context > 0, values, torch.zeros_like(values))
        frame, bands = standardise(values, context), values.shape[1]
        there = context.flatten(0, 1)[:, None]
        x = frame.z.flatten(0, 1)[:, None].contiguous(memory_format=torch.channels_last)
        x0, m0 = self.enter0(x, there)
        x1, m1 = self.enter1(x0, m0)
        x2, m2 = self.enter2(x1, m1)
        x, m = self.deep(*self.enter3(x2, m2))
        x = self.between(x, bands) * m
        for leave, skip, known in (
            (self.leave2, x2, m2),
            (self.leave1, x1, m1),
            (self.leave0, x0, m0),
        ):
            x, m = _twice(x, m)
            x, m = leave(torch.cat([x, skip], 1), torch.maximum(m, known))
        offset = (self.head(x).float() * m).unflatten(0, (-1, bands))[:, :, 0]
        return answer(frame, offset, torch.full_like(offset, torch.nan))


def _twice(x: Tensor, there: Tensor) -> tuple[Tensor, Tensor]:
    return F.interpolate(x, scale_factor=2), F.interpolate(there, scale_factor=2)
