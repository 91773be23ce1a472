"""What one other date has to say of the one to be filled, before any weight looks at it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from xinpaint.nets.align import align
from xinpaint.nets.frame import Frame
from xinpaint.nets.planes import bands_of, pieces, root, total, unit
from xinpaint.nets.regression import Evidence, Regression, regress, regressions, weigh
from xinpaint.nets.ridge import FARTHEST, FARTHEST_LEAST, NEAR, support
from xinpaint.nets.setconv import local_density, local_statistics
from xinpaint.nets.similar import similar
from xinpaint.nets.smooth import smoother

#: Half side of the narrow window of a fine net, in cells.
NARROW = 1
#: An other date and its mask, float32 ``[n b y x]`` each.
Told = tuple[Tensor, Tensor]


class Ways(NamedTuple):
    """What a net looks at beside the regression of each date in a wide window.

    `fine`: one in a narrow window, too, and it chooses between the two pixel by pixel. `align`:
    each date is moved by the part of a pixel that it lies off (:mod:`xinpaint.nets.align`).
    `alike`: residuals of similar neighbours (:mod:`xinpaint.nets.similar`). `smooth`: what
    smoothing adds to all of it (:mod:`xinpaint.nets.smooth`).
    """

    fine: bool = False
    align: bool = False
    alike: bool = False
    smooth: bool = False


class Sight(NamedTuple):
    """The date to be filled, ``[n b y x]``: its values, context (0 or 1), and both in units."""

    values: Tensor
    context: Tensor
    frame: Frame


class Hints(NamedTuple):
    """What is known beside a regression, ``[n b y x]`` each; 0 where nothing is.

    `apart` are other answers' differences to it: of a regression in a narrow window, and of one
    that the residuals of similar neighbours correct. `alike` is how much there is of these.
    `smooth` is what smoothing adds, of all dates together.
    """

    apart: list[Tensor]
    alike: list[Tensor]
    smooth: list[Tensor]

    def in_units(self, scale: Tensor, known: Tensor) -> list[Tensor]:
        """Differences in units of `scale`; how much there is of neighbours has none."""
        apart, smooth = (
            [unit(x, scale, known) for x in part] for part in (self.apart, self.smooth)
        )
        return [*apart, *self.alike, *smooth]


class Other(NamedTuple):
    """What is known of one other date.

    Its regression, hints beside it, its own z-scores ``[n b y x]``, and days away ``[n]``.
    """

    regression: Regression
    hints: Hints
    own: Tensor
    away: Tensor


def look(
    values: Tensor,
    context: Tensor,
    other: Tensor,
    mask: Tensor,
    away: Tensor,
    fine: bool = False,
    aligned: bool = False,
    alike: bool = False,
) -> Other:
    """What another date ``[n b y x]`` says, `aligned` or as it came.

    `fine` with the hint of a narrow window, `alike` with those of similar neighbours.
    """
    other = torch.where(mask > 0, other, torch.zeros_like(other))
    if aligned:
        other = align(values, context, other, mask)
    found = regressions(values, context, other, mask, (NEAR, NARROW) if fine else (NEAR,))
    hints = Hints([], [], [])
    if fine:
        hints.apart.append((found[-1].mean - found[0].mean).nan_to_num())
    other, mask = _ground(other, mask, found[0])
    mean, spread = _statistics(other, mask)
    if alike:
        nearby, weight = neighbours(values, context, found[0], other, spread)
        hints.apart.append(nearby)
        hints.alike.append((1000 * weight).log1p() / 7)
    return Other(found[0], hints, unit(other - mean, spread, mask > 0), away)


def predict(values: Tensor, context: Tensor, other: Tensor, mask: Tensor) -> Regression:
    """The regression on another date, moved into place, that similar neighbours correct.

    Its variance is worth 1.15 / (1 + 0.55 √w)² for neighbours of weight w, as measured on the
    training pairs (``python -m benchmarks.regression``).
    """
    other = align(values, context, other, mask)
    found = regress(values, context, other, mask)
    other, mask = _ground(other, mask, found)
    spread = _statistics(other, mask)[1]
    nearby, weight = neighbours(values, context, found, other, spread)
    worse = 1.15 * found.worse / (1 + 0.55 * weight.sqrt()) ** 2
    return found._replace(mean=found.mean + nearby, worse=worse)


def neighbours(
    values: Tensor, context: Tensor, found: Regression, other: Tensor, spread: Tensor
) -> tuple[Tensor, Tensor]:
    """What similar neighbours add to a regression on another date with this local spread.

    Returns
    -------
    nearby, weight : float32 ``[n b y x]``
        See :func:`~xinpaint.nets.similar.similar`; 0 where the date did not see the pixel.
    """
    known = found.mean.isfinite()
    both = known & (context > 0)
    residual = torch.where(both, values - found.mean, torch.zeros_like(values))
    inverse = torch.where(spread > 0, 1 / spread, torch.zeros_like(spread)).nan_to_num()
    nearby, weight = similar(residual, both.to(values.dtype), other, inverse)
    return torch.where(known, nearby, 0.0), torch.where(known, weight, 0.0)


def _ground(other: Tensor, mask: Tensor, found: Regression) -> tuple[Tensor, Tensor]:
    """A date and its mask without the numbers that are no ground."""
    mask = mask * found.seen.all(1, keepdim=True)
    return torch.where(mask > 0, other, torch.zeros_like(other)), mask


def _statistics(other: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Local mean and spread of a date, in windows that reach 12 pixels."""
    return local_statistics(other, local_density(mask, 6), 6)


def mixed(dates: Sequence[Hints], weights: Sequence[Tensor]) -> Hints:
    """Hints of several dates, averaged by their weights."""

    def averaged(parts: Sequence[Sequence[Tensor]]) -> list[Tensor]:
        rows = (zip(some, weights, strict=True) for some in zip(*parts, strict=True))
        return [total(hint * weight for hint, weight in row) for row in rows]

    return Hints(averaged([d.apart for d in dates]), averaged([d.alike for d in dates]), [])


def smoothed(values: Tensor, context: Tensor, dates: Sequence[Other]) -> Tensor:
    """What smoothing adds to what all dates say, similar neighbours heard, ``[n b y x]``.

    The dates are weighted by their evidence alone, so that no net has a say in it.
    """
    told = []
    for one in pieces(values.shape[1], values):
        some = bands_of(dates, one)
        evidence, weights = weigh([date.regression for date in some])
        hints = mixed([date.hints for date in some], weights)
        mean = evidence.mean + hints.apart[-1] if hints.alike else evidence.mean
        told.append(_smoother(values[:, one], context[:, one], evidence._replace(mean=mean)))
    return torch.cat(told, 1)


def alone(found: Sequence[Regression], gap: Tensor) -> Tensor:
    """Pixels of a gap that an other date saw and no regression speaks of, bool ``[n b y x]``."""
    seen = torch.stack([one.seen for one in found]).any(0)
    return seen & gap & torch.stack([one.mean.isnan() for one in found]).all(0)


def farther(
    evidence: Evidence, values: Tensor, context: Tensor, told: Sequence[Told], where: Tensor
) -> Evidence:
    """Evidence, but that of regressions in a very wide window `where` there was none.

    Parameters
    ----------
    evidence : Evidence
    values, context : float32 ``[n b y x]``
        The date to be filled.
    told : list of (float32 ``[n b y x]``, float32 ``[n b y x]``)
        Each other date and its mask.
    where : bool ``[n b y x]``
        See :func:`alone`.
    """
    if not bool(where.any()):
        return evidence
    rows = [(torch.where(mask > 0, other, 0.0), mask) for other, mask in told]
    far = weigh([farthest(values, context, *row) for row in rows])[0]
    parts = zip(far, evidence, strict=True)
    return Evidence(*(torch.where(where, new, old) for new, old in parts))


def farthest(values: Tensor, context: Tensor, other: Tensor, mask: Tensor) -> Regression:
    """A regression in a very wide window; the less common ground is in it, the less sure.

    Its variance is worth 1 + 0.04 / share, as measured on the training pairs
    (``python -m benchmarks.clouds``). A pixel so unlike all that taught it that its std would be
    more than twice the spread of the country around is not answered.
    """
    found = regressions(values, context, other, mask, (FARTHEST,), rough=True)[0]
    share = support(found.seen * context).to(values.dtype)
    error = found.error * (1 + 0.04 / share.clamp_min(FARTHEST_LEAST))
    enough = (share >= FARTHEST_LEAST) & (error * found.worse <= 4 * found.spread**2)
    mean, error = (torch.where(enough, x, torch.nan) for x in (found.mean, error))
    return found._replace(mean=mean, error=error)


def deep(
    said: tuple[Tensor, Tensor],
    space: tuple[Tensor, Tensor],
    dates: Sequence[Other],
    near: Tensor,
    filled: Told,
    told: Sequence[Told],
) -> tuple[Tensor, Tensor]:
    """Mean and std, but of dates and space by their variances alone where no context is near.

    In the middle of a cloud a net sees nothing of this date to judge the others by, and has not
    learned to answer; the farther in, the more the regressions' own evidence counts. Where a date
    saw the pixel and even so there is none, space would draw from one side only: NaN.

    Parameters
    ----------
    said, space : (mean, std), float32 ``[n b y x]``
        Of the net, and of space alone.
    dates : list of Other
    near : float32 ``[n b y x]``
        How much context there is for a net, from 0 to 1, where it is enough.
    filled, told : Told
        The date to be filled and its context, and likewise each other date.
    """
    found = [date.regression for date in dates]
    lonely = alone(found, filled[1] == 0)
    if bool(((near == 1) & ~lonely).all()):
        return said
    evidence = farther(weigh(found)[0], *filled, told, lonely)
    bare = lonely & ~evidence.seen & (near < 1)
    said = torch.where(bare, torch.nan, said[0]), torch.where(bare, torch.nan, said[1])
    near = torch.where(lonely, 0.0, near)
    variance, lost = evidence.error + evidence.apart, space[0].isnan()
    doubt = torch.where(lost, 1.0, space[1] ** 2)
    odds = (variance / doubt.clamp_min(1e-30)).clamp_max(1e6) ** 2
    share = torch.where(lost, 0.0, odds / (1 + odds))
    apart = evidence.mean + share * (space[0].nan_to_num() - evidence.mean)
    spread = (1 - share) * variance + share * doubt
    inside = evidence.seen & (near < 1)
    mean = near * said[0].nan_to_num() + (1 - near) * apart
    std = root(near * said[1].nan_to_num() ** 2 + (1 - near) * spread)
    return torch.where(inside, mean, said[0]), torch.where(inside, std, said[1])


def answer(values: Tensor, context: Tensor, told: Sequence[Told]) -> Evidence:
    """What :func:`predict` says of all dates, averaged by its evidence, and smoothed."""
    found = [predict(values, context, *row) for row in told]
    evidence, _ = weigh(found)
    evidence = evidence._replace(mean=evidence.mean + _smoother(values, context, evidence))
    return farther(evidence, values, context, told, alone(found, context == 0))


def _smoother(values: Tensor, context: Tensor, evidence: Evidence) -> Tensor:
    mean = torch.where(evidence.seen, evidence.mean, torch.nan)
    return smoother(values, context, mean, evidence.error + evidence.apart)
