"""How the level of an image changes across each pixel, and far around it.

Values in units of their own surroundings (:mod:`xinpaint.nets.frame`) do not say how the two sides
of a wide gap differ in level, since each side is its own zero. These planes do, in the same
units: blind to any gain and offset.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from xinpaint.nets.planes import unit
from xinpaint.nets.setconv import local_mean

#: Slopes compare means of windows that reach 2·RADIUS pixels, STEP pixels to either side.
RADIUS, STEP = 5, 4


class Levels(NamedTuple):
    """Planes ``[n b y x]`` in units of the local spread.

    Parameters
    ----------
    down, across : Tensor
        Change of the local mean along y and along x; 0 where unknown.
    known : Tensor
        For how many of the two it is known, halved: 0, 0.5 or 1.
    above, ratio : Tensor
        The far mean less the near one; the far spread over the near one.
    """

    down: Tensor
    across: Tensor
    known: Tensor
    above: Tensor
    ratio: Tensor


class Settle(nn.Module):
    """A per-pixel head that sees far levels: it adds nothing to what a net looks at.

    Parameters
    ----------
    width : int
        Channels of the trunk, at 1/2 of the resolution.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.rich = nn.Conv2d(width, 32, 1)
        self.weigh = nn.Conv2d(8 + 2 + 2, 24, 1)
        self.settle = nn.Conv2d(24, 2, 1)
        nn.init.zeros_(self.settle.weight)
        nn.init.zeros_(self.settle.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor, out: Tensor, *wide: Tensor) -> Tensor:
        """What is to be added to `out` ``[m 2 y x]``; `wide` are planes ``[m 1 y x]``."""
        told = torch.cat([F.pixel_shuffle(self.rich(x), 2), out, *wide], 1)
        added: Tensor = self.settle(F.relu(self.weigh(told)))
        return added


def slopes(values: Tensor, density: Tensor, spread: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """:class:`Levels` as far as they are near ones.

    Parameters
    ----------
    values, density : float ``[n b y x]``
        Values are zero outside the context, whose density for :data:`RADIUS` it is.
    spread : float ``[n b y x]``
        The unit; NaN where there is none.
    """
    mean = local_mean(values, density, RADIUS)
    (down, here), (across, there) = (_slope(mean, spread.nan_to_num(), dim) for dim in (2, 3))
    return down, across, (here + there) / 2


def _slope(mean: Tensor, spread: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    edge = (0, 0, STEP, STEP) if dim == 2 else (STEP, STEP)
    wide, size = F.pad(mean, edge, value=torch.nan), mean.shape[dim]
    change = wide.narrow(dim, 2 * STEP, size) - wide.narrow(dim, 0, size)
    known = change.isfinite() & (spread > 0)
    return unit(change.nan_to_num(), spread, known).clamp(-5, 5), known.to(mean.dtype)
