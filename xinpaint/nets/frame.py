"""Values in units of their own surroundings, and answers back: what every net sits behind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from xinpaint.nets.levels import RADIUS, Levels, slopes
from xinpaint.nets.planes import joined, pieces, unit
from xinpaint.nets.setconv import local_density, local_mean, local_statistics

#: Share of the far variance in the scale of the answers.
FAR_SHARE = 0.05
#: Weight of a wider window beside a narrower one, both full: hardly any where context is near.
WIDER = 0.02
#: An answer stands on at least this share of the far window, eight pixels in its middle: a few
#: lone ones have no spread that could tell how wrong they are.
LEAST = 0.002
#: Share of the far window below which nets that see levels are too sure (they learn from narrower
#: gaps), and by how much in the end: without it, intervals in the middle of holes 100 to 200 pixels
#: wide of the validation scene hold 80 %, not 90 (`python -m benchmarks.models.holes`).
PLENTY, TOO_SURE = 0.2, 0.35


class Frame(NamedTuple):
    """Context in local units, ``[n b y x]``: z-scores, the unit's mean and spread.

    `support` is the share of the far window that is context.
    """

    z: Tensor
    mean: Tensor
    spread: Tensor
    support: Tensor
    levels: Levels | None = None

    @property
    def lost(self) -> Tensor:
        """Where there is too little context to answer."""
        return self.support < LEAST

    @property
    def doubt(self) -> Tensor:
        """What a standard deviation lacks where there is little context: a factor of 1 or more."""
        if self.levels is None:
            return torch.ones_like(self.support)
        return 1 + TOO_SURE * (1 - self.support / PLENTY).clamp(0, 1)


def standardise(
    values: Tensor,
    context: Tensor,
    radius: int = 6,
    far: int = 32,
    *,
    levels: bool = False,
    between: Sequence[int] = (),
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
    between : sequence of int
        Radii of windows between the near and the far one, narrow ones first: in the middle of a
        wide gap the centre of the answers then goes over from the near statistics to the far ones
        little by little, not at once.
    """
    told, made = _Told(radius, far, levels, tuple(between)), []
    alike = bool((context == context[:, :1]).all())  # as gaps of a scene mostly are
    dense = told.densities(context) if alike else {}
    for one in pieces(values.shape[1], values):
        some = {r: whole[:, one] for r, whole in dense.items()}
        some = some or told.densities(context[:, one])
        made.append(_standardised(values[:, one], context[:, one], some, told))
    return made[0] if len(made) == 1 else joined(made)


class _Told(NamedTuple):
    """The arguments of `standardise`."""

    radius: int
    far: int
    levels: bool
    between: tuple[int, ...]

    def densities(self, context: Tensor) -> dict[int, Tensor]:
        """The density of the context for every window that is needed."""
        radii = {self.radius, self.far, *self.between, *([RADIUS] if self.levels else [])}
        return {radius: local_density(context, radius) for radius in sorted(radii)}


def _standardised(
    values: Tensor, context: Tensor, dense: Mapping[int, Tensor], told: _Told
) -> Frame:
    """`standardise`, of some bands, with the densities of their context by radius."""
    radius, far, levels, between = told
    mean, spread = local_statistics(values, dense[radius], radius)
    live = (spread > 0) & (context > 0)
    z = torch.where(live, (values - mean) / torch.where(live, spread, torch.ones_like(spread)), 0.0)
    wide_mean, wide_spread = local_statistics(values, dense[far], far)
    near, lost = spread, mean.isnan()
    if between:
        shares = [dense[r] / (2 * r + 1) ** 4 for r in (radius, *between, far)]
        spread = _blended([near**2, wide_spread**2], [shares[0], shares[-1]]).sqrt()
        middle = [local_mean(values, dense[r], r) for r in between]
        mean = _blended([mean, *middle, wide_mean], shares)
        spread = torch.sqrt(spread**2 + FAR_SHARE * wide_spread**2)
    else:
        both = torch.sqrt(spread**2 + FAR_SHARE * wide_spread**2)
        mean, spread = torch.where(lost, wide_mean, mean), torch.where(lost, wide_spread, both)
    support = dense[far] / (2 * far + 1) ** 4
    frame = Frame(z.clamp(-20, 20), mean.nan_to_num(), spread.nan_to_num(), support)
    if not levels:
        return frame
    known = mean.isfinite() & (frame.spread > 0)
    above = unit(wide_mean.nan_to_num() - frame.mean, frame.spread, known)
    ratio = unit(wide_spread.nan_to_num(), frame.spread, known)
    return frame._replace(levels=Levels(*slopes(values, dense[RADIUS], near), above, ratio))


def _blended(parts: Sequence[Tensor], shares: Sequence[Tensor]) -> Tensor:
    """Mean of parts by their share, each wider one :data:`WIDER` of it; NaN without any."""
    total = weight = torch.zeros_like(parts[0])
    for k, (part, share) in enumerate(zip(parts, shares, strict=True)):
        heavy = torch.where(part.isfinite(), WIDER**k * share, torch.zeros_like(part))
        total = total + heavy * part.nan_to_num()
        weight = weight + heavy
    return total / torch.where(weight > 0, weight, torch.nan)


def answer(frame: Frame, offset: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation in the values' unit; NaN where too little context is in reach."""
    # NaN only at the very end: a product with NaN would poison every gradient
    nan = torch.full_like(offset, torch.nan)
    return (
        torch.where(frame.lost, nan, frame.mean + frame.spread * offset),
        torch.where(frame.lost, nan, frame.spread * scale * frame.doubt),
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
