"""A 3-D U-Net over months, rows and columns: from gappy images of some months to water classes.

Çiçek et al. 2016 ("3D U-Net: learning dense volumetric segmentation from sparse annotation") made
small: convolutions over time and space on the way down, transposed convolutions and skips on the
way up. The answer is one class a pixel for all months together, so time ends where the skips begin:
each level is handed over as its largest and its mean value over the months.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from xinpaint.nets.planes import shuffled, total

#: Reflectance is taken off and divided by these: red, nir, swir1.
CENTRE, SPREAD = (0.08, 0.2, 0.15), (0.08, 0.15, 0.12)
#: Bands, two ratios, and what was seen.
_CHANNELS = 6
STRIDE = 8


class Volume(nn.Module):
    """A 3×3×3 convolution over months, rows and columns, of as many channels out as in.

    A date and its neighbours are laid side by side as channels of one flat convolution: the same
    sums, and processors are far quicker at it. Beyond the first and last month there are zeros.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.flat = nn.Conv2d(3 * width, width, 3, padding=1)

    def forward(self, x: Tensor, months: int) -> Tensor:
        """``[n·t c y x]`` in and out."""
        volume = F.pad(x.unflatten(0, (-1, months)), (0, 0, 0, 0, 0, 0, 1, 1))
        beside = [volume[:, k : k + months].flatten(0, 1) for k in range(3)]
        made: Tensor = self.flat(torch.cat(beside, 1))
        return made


class UNet3D(nn.Module):
    """Classes of water from the reflectance of a few months.

    Parameters
    ----------
    widths : three int
        Channels at 1/2, 1/4 and 1/8 of the resolution.
    classes : int
    """

    stride = STRIDE

    def __init__(self, widths: Sequence[int] = (16, 32, 48), classes: int = 3) -> None:
        super().__init__()
        first, second, third = widths
        self.classes = classes
        self.enter = nn.Conv2d(4 * _CHANNELS, first, 3, padding=1)
        self.down = nn.Conv2d(first, second, 2, stride=2)
        self.middle = Volume(second)
        self.deeper = nn.Conv2d(second, third, 2, stride=2)
        self.coarse, self.coarsest = Volume(third), Volume(third)
        self.over = nn.ModuleList(nn.Conv2d(2 * width, width, 1) for width in widths)
        self.deep = nn.Conv2d(third, third, 3, padding=1)
        self.up = nn.ConvTranspose2d(third, second, 2, stride=2)
        self.join = nn.Conv2d(second, second, 3, padding=1)
        self.rise = nn.ConvTranspose2d(second, first, 2, stride=2)
        self.leave = nn.Conv2d(first, first, 3, padding=1)
        self.head = nn.Conv2d(first, 4 * classes, 1)
        self.temperature: Tensor
        self.shift: Tensor
        self.register_buffer("temperature", torch.ones(()))
        self.register_buffer("shift", torch.zeros(classes))

    @property
    def reach(self) -> int:
        """Pixels that an image can be away and matter."""
        return 2 * (1 + 1) + 4 * (1 + 1) + 8 * (1 + 1 + 1) + STRIDE

    def forward(self, values: Tensor, context: Tensor) -> Tensor:
        """Unnormalised log probabilities.

        Parameters
        ----------
        values : float32 ``[n t 3 y x]``
            Reflectance of red, nir and swir1, any number of months, in their order. y and x are
            multiples of 8, aligned to the grid. Read under `context` only.
        context : float32 ``[n t 3 y x]``
            1 where seen, else 0. A pixel counts as seen where all three bands were.

        Returns
        -------
        float32 ``[n class y x]``
        """
        months = values.shape[1]
        one = F.relu(self.enter(shuffled(_features(values, context), [])), inplace=True)
        x = F.relu(self.down(one), inplace=True)
        two = x + F.relu(self.middle(x, months), inplace=True)
        x = F.relu(self.deeper(two), inplace=True)
        x = x + F.relu(self.coarse(x, months), inplace=True)
        three = x + F.relu(self.coarsest(x, months), inplace=True)
        levels = zip(self.over, (one, two, three), strict=True)
        first, second, third = (gather(_through(x, months)) for gather, x in levels)
        x = F.relu(third)
        x = x + F.relu(self.deep(x), inplace=True)
        x = F.relu(self.up(x) + second, inplace=True)
        x = x + F.relu(self.join(x), inplace=True)
        x = F.relu(self.rise(x) + first, inplace=True)
        x = x + F.relu(self.leave(x), inplace=True)
        answer = F.pixel_shuffle(self.head(x), 2) / self.temperature
        return answer + self.shift[:, None, None]


def _features(values: Tensor, context: Tensor) -> list[Tensor]:
    """Bands, two ratios and what was seen, zero where nothing was; six of ``[n t y x]``."""
    seen = context.amin(2)
    values = torch.where(seen[:, :, None] > 0, values, torch.zeros_like(values)).clamp(0, 1.2)
    red, nir, swir = values.unbind(2)
    made = [
        (band - centre) * (seen / spread)
        for band, centre, spread in zip((red, nir, swir), CENTRE, SPREAD, strict=True)
    ]
    water = (red - swir) / (red + swir + 0.02)
    plants = (nir - red) / (nir + red + 0.02)
    return [*made, water, plants, seen]


def _through(x: Tensor, months: int) -> Tensor:
    """Largest and mean value over the months: ``[n·t c y x]`` to ``[n 2c y x]``."""
    each = x.unflatten(0, (-1, months)).unbind(1)
    return torch.cat([reduce(torch.maximum, each), total(each) / months], 1)
