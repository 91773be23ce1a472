"""Local ridge regression of a date on another one: where time knows what space cannot.

Around every pixel, each band of the date to be filled is regressed on all bands of the other
date, on pixels both saw. Cells of 4 × 4 pixels are summed first (one Gram matrix a cell, in
double precision), windows are sums of cells, one small system is solved a cell and its
coefficients are interpolated: the cost of a full regression around every pixel is gone, its
answer nearly the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from xinpaint.nets.planes import pieces
from xinpaint.nets.ridge import CELL, FAR, NEAR, finer, gram, leverage, solve, windows
from xinpaint.nets.setconv import window_sum
from xinpaint.nets.similar import REACH as ALIKE

#: Pixels around a prediction whose own residuals correct it.
BLUR = 3
#: Farthest pixel that matters: window, its cell, interpolation, residuals; those of neighbours.
REACH = CELL * FAR + (CELL - 1) + CELL + 2 * BLUR + ALIKE


class Regression(NamedTuple):
    """What one other date says of every pixel, float32 ``[n b y x]``; NaN where it says nothing.

    `mean` is the prediction, `error` its variance as residuals around the pixel tell, `spread` the
    standard deviation of the regressed band there, `seen` (bool) whether the other date saw ground
    in the pixel, no number a thousand spreads away. `worse` is by how much the variance differs
    from `error` because the other date's pixel is unlike its surroundings.
    """

    mean: Tensor
    error: Tensor
    spread: Tensor
    seen: Tensor
    worse: Tensor


class Evidence(NamedTuple):
    """What all dates say of a pixel, ``[n b y x]``.

    Mean and mean square error of their weighted regressions, the variance between them, and whether
    any of them saw the pixel.
    """

    mean: Tensor
    error: Tensor
    apart: Tensor
    seen: Tensor


def regress(values: Tensor, context: Tensor, other: Tensor, other_context: Tensor) -> Regression:
    """Predict every band of a date from all bands of another one; see :func:`regressions`."""
    return regressions(values, context, other, other_context)[0]


def regressions(
    values: Tensor,
    context: Tensor,
    other: Tensor,
    other_context: Tensor,
    nears: Sequence[int] = (NEAR,),
    *,
    rough: bool = False,
) -> list[Regression]:
    """Predict every band of a date from all bands of another one, with one or more windows.

    Parameters
    ----------
    values, context : float32 ``[n b y x]``
        The date to be filled; y and x multiples of 4 and aligned to the grid. Zero outside
        `context` (1.0 = observed).
    other, other_context : float32 ``[n c y x]``
        The other date, likewise. A pixel counts as seen where all bands are that it has
        (:func:`sorts`).
    nears : sequence of int
        Half sides of the near window in cells, one for each answer.
    rough : bool
        Look at nothing but the near window: no wide one, and no residuals around a pixel.

    Returns
    -------
    list of Regression
        For a > 0, values → a·values + b on both dates gives a·mean + b, a²·error and a·spread.
    """
    found: list[Regression] = []
    for bands, where in sorts(other_context):
        seen = other_context[:, bands].amin(1, keepdim=True)
        some = _regressions(values, context, seen * other[:, bands], seen, nears, rough)
        if found and where is not None:
            rows = (zip(one, old, strict=True) for one, old in zip(some, found, strict=True))
            some = [Regression(*(torch.where(where, *pair) for pair in row)) for row in rows]
        found = some
    return found


def sorts(mask: Tensor) -> list[tuple[list[int], Tensor | None]]:
    """Which bands a date has, and where: it may lack some, as of another sensor.

    Parameters
    ----------
    mask : float32 ``[n c y x]``
        1 where a band of the date was seen.

    Returns
    -------
    list of (list of int, bool ``[n 1 y x]`` or None)
        Bands, and the pixels that have them and no others: a band is lacking where it was seen
        nowhere within 4 pixels. None stands for all pixels.
    """
    count = mask.shape[1]
    every = list(range(count))
    if count > 62 or bool((mask == mask[:, :1]).all()):
        return [(every, None)]
    there = F.max_pool2d(mask, 9, 1, 4) > 0
    code = (there.long() << torch.arange(count, device=mask.device)[:, None, None]).sum(1, True)
    codes = [int(k) for k in code.unique() if k]
    made = [([b for b in every if k >> b & 1], code == k) for k in codes]
    return [(bands, where if len(made) > 1 else None) for bands, where in made] or [(every, None)]


def _regressions(
    values: Tensor,
    context: Tensor,
    other: Tensor,
    seen: Tensor,
    nears: Sequence[int],
    rough: bool,
) -> list[Regression]:
    """`regressions` on pixels ``[n 1 y x]`` that are seen in all bands of the other date."""
    same = bool((context == context[:, :1]).all())
    groups = [slice(0, context.shape[1])] if same else _singles(context.shape[1])
    parts: list[list[tuple[Tensor, ...]]] = [[] for _ in nears]
    for bands in groups:
        both = seen * context[:, bands][:, :1]
        sums, size = gram(values[:, bands], other, both)
        for near, part in zip(nears, parts, strict=True):
            solved, ground = solve(*windows(sums, near, rough), size)
            share = finer(ground.enough)
            around = None if rough else window_sum(both * (share > 0).double(), BLUR)
            few, worse, sane = leverage(ground, share, other)
            there = (seen > 0) & sane
            where = _Where(there, (both > 0) & sane, share, around, few, worse)
            for one in pieces(size[0] - size[1], values):
                fit = [x[:, one] for x in solved]
                part.append(_answer(fit, values[:, bands][:, one], other, where))
    return [Regression(*(torch.cat(found, 1) for found in zip(*p, strict=True))) for p in parts]


class _Where(NamedTuple):
    """Of pixels ``[n 1 y x]``: seen, on both dates, share of fitted cells, neighbours on both.

    The last are not there where no residuals of neighbours are wanted. `few` and `worse`
    are what :func:`~xinpaint.nets.ridge.leverage` tells.
    """

    seen: Tensor
    both: Tensor
    share: Tensor
    near: Tensor | None
    few: Tensor
    worse: Tensor


def _answer(
    solved: Sequence[Tensor], values: Tensor, other: Tensor, where: _Where
) -> tuple[Tensor, ...]:
    """What a :class:`Regression` holds, of some bands; NaN where the other date says nothing."""
    slopes, intercept, error, spread = solved
    known = where.share > 0
    share = where.share.clamp_min(1e-12)
    mean = _predict(slopes, intercept, other) / share
    if where.near is not None:  # residuals of near pixels, averaged and shrunk where there are few
        residual = torch.where(where.both & known, values - mean, torch.zeros_like(mean))
        mean = mean + window_sum(residual, BLUR) / (where.near + 0.1 * (2 * BLUR + 1) ** 4)
    lost = torch.full_like(mean, torch.nan)
    told = torch.where(known & where.seen, mean, lost), finer(error) / share * where.few
    return (
        told[0].to(values.dtype),
        torch.where(known & where.seen, told[1], lost).to(values.dtype),
        torch.where(known, finer(spread) / share, lost).to(values.dtype),
        where.seen.expand_as(mean),
        where.worse.to(values.dtype).expand_as(mean),
    )


def weigh(
    regressions: Sequence[Regression], trust: Sequence[Tensor] | None = None
) -> tuple[Evidence, list[Tensor]]:
    """Average what the dates say with weights exp(trust) / error², error their local mean square.

    Parameters
    ----------
    regressions : list of Regression
    trust : list of float32 ``[n b y x]``, optional
        Logits beside the evidence, if anything else is known.

    Returns
    -------
    Evidence, list of Tensor
        The average, and each date's weight (0 where it did not see the pixel, sum 1).
    """
    means = torch.stack([r.mean for r in regressions])
    errors = torch.stack([r.error for r in regressions])
    known = means.isfinite()
    means, errors = means.nan_to_num(), torch.where(known, errors, 0.0)
    # where a date says nothing its numbers are no numbers
    worse = torch.where(known, torch.stack([r.worse for r in regressions]), 1.0)
    # the date that shows what is special in a place is no worse a witness: only what no ground
    # can be, a cloud or a stray number, loses its vote
    votes = errors * (1 + (worse / 100) ** 2)
    most = votes.amax(0, keepdim=True)
    relative = torch.where(most > 0, votes / torch.where(most > 0, most, 1.0), 1.0)
    logits = -2 * relative.clamp_min(1e-6).log()
    if trust is not None:
        logits = logits + torch.stack(list(trust))
    anybody = known.any(0)
    # where no date saw the pixel a softmax of nothing would be NaN, and its gradient too
    weights = torch.where(known | ~anybody, logits, -torch.inf).softmax(0) * anybody
    mean = (weights * means).sum(0)
    apart = (weights * torch.where(known, means - mean, 0.0) ** 2).sum(0)
    together = Evidence(mean, (weights * errors * worse).sum(0), apart, anybody)
    return together, list(weights.unbind(0))


def differing(evidence: Evidence) -> Tensor:
    """From 0, where one date speaks or all say the same, to 1, where they differ, ``[n b y x]``.

    It is 1/2 where the variance between them is a tenth of what each leaves unexplained.
    """
    apart = evidence.apart.detach()
    whole = apart + 0.1 * evidence.error.detach()
    return torch.where(whole > 0, apart / torch.where(whole > 0, whole, 1.0), 0.0)


def _singles(count: int) -> list[slice]:
    return [slice(k, k + 1) for k in range(count)]


def _predict(slopes: Tensor, intercept: Tensor, other: Tensor) -> Tensor:
    """Apply interpolated coefficients to the other date's pixels, in double."""
    n, _, count = slopes.shape[:3]
    fine = finer(torch.cat([intercept[:, :, None], slopes], 2).flatten(0, 1)).unflatten(0, (n, -1))
    mean: Tensor = fine[:, :, 0]
    for band in range(count):
        mean = torch.addcmul(mean, fine[:, :, 1 + band], other[:, band : band + 1].double())
    return mean
