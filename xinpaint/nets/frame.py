"""Values in units of their own surroundings, and answers back: what every net sits behind."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from xinpaint.nets.levels import Levels, slopes
from xinpaint.nets.planes import unit
from xinpaint.nets.setconv import local_statistics

#: Share of the far variance in the scale of the answers.
FAR_SHARE = 0.05


class Frame(NamedTuple):
    """Context in local units, ``[n b y x]``: z-scores, the unit's mean and spread, no context."""

    z: Tensor
    mean: Tensor
    spread: Tensor
    lost: Tensor
    levels: Levels | None = None


def standardise(
    values: Tensor, context: Tensor, radius: int = 6, far: int = 32, *, levels: bool = False
) -> Frame:
    """Standardised context, and the unit in which it is answered.

    Near statistics are the centre and scale of the answers, held up by the far ones: a few equal
    pixels at the rim of a wide gap have no spread of their own, and a share of the far spread
    keeps the scale from collapsing there.

    Parameters
    ----------
    values, context : float ``[n b y x]``
        Values are zero outside the context (1.0).
    radius, far : int
        The near and the far statistics reach 2·radius and 2·far pixels.
    levels : bool
        Also tell how the level changes across each pixel and far around it.
    """
    mean, spread, _ = local_statistics(values, context, radius)
    live = (spread > 0) & (context > 0)
    z = torch.where(live, (values - mean) / torch.where(live, spread, torch.ones_like(spread)), 0.0)
    wide_mean, wide_spread, _ = local_statistics(values, context, far)
    lost = mean.isnan()
    near, both = spread, torch.sqrt(spread**2 + FAR_SHARE * wide_spread**2)
    mean, spread = torch.where(lost, wide_mean, mean), torch.where(lost, wide_spread, both)
    frame = Frame(z.clamp(-20, 20), mean.nan_to_num(), spread.nan_to_num(), mean.isnan())
    if not levels:
        return frame
    known = ~frame.lost & (frame.spread > 0)
    above = unit(wide_mean.nan_to_num() - frame.mean, frame.spread, known)
    ratio = unit(wide_spread.nan_to_num(), frame.spread, known)
    return frame._replace(levels=Levels(*slopes(values, context, near), above, ratio))


def answer(frame: Frame, offset: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation in the values' unit; NaN where there is no context in reach."""
    # NaN only at the very end: a product with NaN would poison every gradient
    nan = torch.full_like(offset, torch.nan)
    return (
        torch.where(frame.lost, nan, frame.mean + frame.spread * offset),
        torch.where(frame.lost, nan, frame.spread * scale),
    )


class Between(nn.Module):
    """Bands tell each other what they see, by a mean over them: any number, in any order.

    Zaheer et al. 2017, "Deep sets" (arXiv 1703.06114).

    Parameters
    ----------
    width, shared : int
        Channels a band, and of what is shared.
    """

    def __init__(self, width: int, shared: int) -> None:
        super().__init__()
        self.gather = nn.Conv2d(width, shared, 1)
        self.spread = nn.Conv2d(shared, width, 1)
        nn.init.normal_(self.spread.weight, std=0.01)

    def forward(self, x: Tensor, bands: int) -> Tensor:
        """``[n·bands width y x]`` in and out."""
        each = x.unflatten(0, (-1, bands))
        told = self.spread(F.relu(self.gather(each.mean(1))))
        both: Tensor = (each + told[:, None]).flatten(0, 1)
        return both
