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
from xinpaint.nets.setconv import window_sum

#: Side of a cell in pixels; the grid of cells is the global one.
CELL = 4
#: Half sides of the near and the wide window, in cells.
NEAR, WIDE = 2, 6
#: Weight of the wide window's pixels, which carry the regression where near ones are scarce.
WIDE_SHARE = 0.02
#: Ridge on standardised slopes.
RIDGE = 0.01
#: A regression stands on at least so many (weighted) pixels.
LEAST = 12.0
#: Pixels around a prediction whose own residuals correct it.
BLUR = 3
#: Farthest pixel that matters: window, its cell, interpolation, residuals.
REACH = CELL * WIDE + (CELL - 1) + CELL + 2 * BLUR
#: A spread this small against the mean is rounding.
FLAT = 2e-6


class Regression(NamedTuple):
    """What one other date says of every pixel, float32 ``[n b y x]``; NaN where it says nothing.

    `mean` is the prediction, `error` the mean square of its residuals around the pixel, `spread`
    the standard deviation of the regressed band there, `seen` (bool ``[n 1 y x]``) whether the
    other date saw the pixel.
    """

    mean: Tensor
    error: Tensor
    spread: Tensor
    seen: Tensor


class Evidence(NamedTuple):
    """What all dates say of a pixel, ``[n b y x]``.

    Mean and mean square error of their weighted regressions, the variance between them, whether
    any of them saw the pixel, and 1 − Σ weight²: 0 where one date alone speaks, near 1 where many.
    """

    mean: Tensor
    error: Tensor
    apart: Tensor
    seen: Tensor
    several: Tensor


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
        The other date, likewise. A pixel counts as seen where all its bands are.
    nears : sequence of int
        Half sides of the near window in cells, one for each answer.
    rough : bool
        Look at nothing but the near window: no wide one, and no residuals around a pixel.

    Returns
    -------
    list of Regression
        For a > 0, values → a·values + b on both dates gives a·mean + b, a²·error and a·spread.
    """
    seen = other_context.amin(1, keepdim=True)
    other = seen * other
    same = bool((context == context[:, :1]).all())
    groups = [slice(0, context.shape[1])] if same else _singles(context.shape[1])
    parts: list[list[tuple[Tensor, ...]]] = [[] for _ in nears]
    for bands in groups:
        both = seen * context[:, bands][:, :1]
        sums, size = _gram(values[:, bands], other, both)
        for near, part in zip(nears, parts, strict=True):
            solved, enough = _solve(_box(sums, near) if rough else _windows(sums, near), size)
            share = _finer(enough.double())
            around = None if rough else window_sum(both * (share > 0).double(), BLUR)
            where = _Where(seen > 0, both > 0, share, around)
            for one in pieces(size[0] - size[1], values):
                fit = [x[:, one] for x in solved]
                part.append(_answer(fit, values[:, bands][:, one], other, where))
    told = [[torch.cat(found, 1) for found in zip(*part, strict=True)] for part in parts]
    return [Regression(mean, error, spread, seen > 0) for mean, error, spread in told]


class _Where(NamedTuple):
    """Of pixels ``[n 1 y x]``: seen, on both dates, share of fitted cells, neighbours on both.

    The last are not there where no residuals of neighbours are wanted.
    """

    seen: Tensor
    both: Tensor
    share: Tensor
    near: Tensor | None


def _answer(
    solved: Sequence[Tensor], values: Tensor, other: Tensor, where: _Where
) -> tuple[Tensor, Tensor, Tensor]:
    """Mean, error and spread of some bands; NaN where the other date says nothing."""
    slopes, intercept, error, spread = solved
    known = where.share > 0
    share = where.share.clamp_min(1e-12)
    mean = _predict(slopes, intercept, other) / share
    if where.near is not None:  # residuals of near pixels, averaged and shrunk where there are few
        residual = torch.where(where.both & known, values - mean, torch.zeros_like(mean))
        mean = mean + window_sum(residual, BLUR) / (where.near + 0.1 * (2 * BLUR + 1) ** 4)
    lost = torch.full_like(mean, torch.nan)
    told = torch.where(known & where.seen, mean, lost), _finer(error) / share
    return (
        told[0].to(values.dtype),
        torch.where(known & where.seen, told[1], lost).to(values.dtype),
        torch.where(known, _finer(spread) / share, lost).to(values.dtype),
    )


def weigh(regressions: list[Regression], trust: list[Tensor]) -> tuple[Evidence, list[Tensor]]:
    """Average what the dates say with weights exp(trust) / error², error their local mean square.

    Parameters
    ----------
    regressions : list of Regression
    trust : list of float32 ``[n b y x]``
        Logits beside the evidence; 0 where nothing else is known.

    Returns
    -------
    Evidence, list of Tensor
        The average, and each date's weight (0 where it did not see the pixel, sum 1).
    """
    means = torch.stack([r.mean for r in regressions])
    errors = torch.stack([r.error for r in regressions])
    known = means.isfinite()
    means, errors = means.nan_to_num(), torch.where(known, errors, 0.0)
    most = errors.amax(0, keepdim=True)
    relative = torch.where(most > 0, errors / torch.where(most > 0, most, 1.0), 1.0)
    logits = torch.stack(trust) - 2 * relative.clamp_min(1e-6).log()
    anybody = known.any(0)
    # where no date saw the pixel a softmax of nothing would be NaN, and its gradient too
    weights = torch.where(known | ~anybody, logits, -torch.inf).softmax(0) * anybody
    mean = (weights * means).sum(0)
    apart = (weights * torch.where(known, means - mean, 0.0) ** 2).sum(0)
    several = torch.where(anybody, 1 - (weights**2).sum(0), 0.0)
    together = Evidence(mean, (weights * errors).sum(0), apart, anybody, several)
    return together, list(weights.unbind(0))


def _singles(count: int) -> list[slice]:
    return [slice(k, k + 1) for k in range(count)]


def _cells(x: Tensor) -> Tensor:
    """``[n c y x]`` to the pixels of each cell, ``[n cells_y cells_x 16 c]``."""
    n, c, height, width = x.shape
    x = x.reshape(n, c, height // CELL, CELL, width // CELL, CELL)
    return x.permute(0, 2, 4, 3, 5, 1).reshape(n, height // CELL, width // CELL, CELL * CELL, c)


def _windows(x: Tensor, near: int) -> Tensor:
    """Sum of cells ``[n c y x]`` in the near window, and a share of the wide one."""
    return _box(x, near) + WIDE_SHARE * _box(x, WIDE)


def _box(x: Tensor, half: int) -> Tensor:
    size = 2 * half + 1
    x = F.avg_pool2d(x, (1, size), 1, (0, half), divisor_override=1)
    return F.avg_pool2d(x, (size, 1), 1, (half, 0), divisor_override=1)


def _gram(values: Tensor, other: Tensor, both: Tensor) -> tuple[Tensor, tuple[int, int]]:
    """Sums of products of each cell, ``[n (1+c+b)(1+c)+b Y X]``, and (1+c+b, 1+c)."""
    count = other.shape[1]
    rows = _cells(torch.cat([both, other * both, values * both], 1).double())
    gram = rows.transpose(-1, -2) @ rows[..., : 1 + count]  # [n Y X (1+c+b) (1+c)]
    square = (rows[..., 1 + count :] ** 2).sum(-2)
    size = (gram.shape[-2], gram.shape[-1])
    return torch.cat([gram.flatten(-2), square], -1).permute(0, 3, 1, 2), size


def _solve(sums: Tensor, size: tuple[int, int]) -> tuple[list[Tensor], Tensor]:
    """Slopes ``[n b c Y X]``, intercept, mean square residual and spread ``[n b Y X]`` a cell.

    And which cells ``[n 1 Y X]`` have enough pixels; all of it is 0 in the others.
    """
    count, bands = size[1] - 1, size[0] - size[1]
    sums = sums.permute(0, 2, 3, 1)
    gram, square = sums[..., : size[0] * size[1]].unflatten(-1, size), sums[..., -bands:]
    number = gram[..., 0, 0]
    enough = number >= LEAST
    number = torch.where(enough, number, torch.ones_like(number))[..., None]
    mean = gram[..., :, 0] / number
    mean_x, mean_y = mean[..., 1 : 1 + count], mean[..., 1 + count :]
    moments = gram[..., 1:, 1:] / number[..., None] - mean[..., 1:, None] * mean_x[..., None, :]
    covariance, cross = moments[..., :count, :], moments[..., count:, :]
    scale_x = _flatless(covariance.diagonal(dim1=-2, dim2=-1), mean_x)
    spread = _flatless(square / number - mean_y**2, mean_y)
    slopes = _ridge(covariance, cross, scale_x)
    fitted = (slopes * cross).sum(-1) * 2 - torch.einsum(
        "...bi,...ij,...bj->...b", slopes, covariance, slopes
    )
    error = (spread**2 - fitted).clamp_min(0)
    intercept = mean_y - (slopes * mean_x[..., None, :]).sum(-1)
    slopes = torch.where(enough[..., None, None], slopes, torch.zeros_like(slopes))
    error, intercept, spread = (
        torch.where(enough[..., None], part, torch.zeros_like(part))
        for part in (error, intercept, spread)
    )
    planes = [part.permute(0, 3, 1, 2) for part in (intercept, error, spread)]
    return [slopes.permute(0, 3, 4, 1, 2), *planes], enough[:, None]


def _flatless(variance: Tensor, mean: Tensor) -> Tensor:
    """Standard deviation, 0 where it is only rounding."""
    spread = variance.clamp_min(0).sqrt()
    return torch.where(spread > FLAT * mean.abs(), spread, torch.zeros_like(spread))


def _ridge(covariance: Tensor, cross: Tensor, scale: Tensor) -> Tensor:
    """Slopes ``[... b c]`` of standardised regressors under a ridge; 0 for flat ones."""
    inverse = torch.where(scale > 0, 1 / torch.where(scale > 0, scale, torch.ones_like(scale)), 0.0)
    matrix = covariance * inverse[..., :, None] * inverse[..., None, :]
    matrix = matrix + torch.diag_embed(torch.where(scale > 0, RIDGE, 1.0).to(matrix.dtype))
    right = (cross * inverse[..., None, :]).transpose(-1, -2)
    factor, _ = torch.linalg.cholesky_ex(matrix)
    return torch.cholesky_solve(right, factor).transpose(-1, -2) * inverse[..., None, :]


def _predict(slopes: Tensor, intercept: Tensor, other: Tensor) -> Tensor:
    """Apply interpolated coefficients to the other date's pixels, in double."""
    n, _, count = slopes.shape[:3]
    fine = _finer(torch.cat([intercept[:, :, None], slopes], 2).flatten(0, 1)).unflatten(0, (n, -1))
    mean: Tensor = fine[:, :, 0]
    for band in range(count):
        mean = torch.addcmul(mean, fine[:, :, 1 + band], other[:, band : band + 1].double())
    return mean


def _finer(coarse: Tensor) -> Tensor:
    """Interpolate cells ``[n b Y X]`` to pixels."""
    return F.interpolate(coarse, scale_factor=CELL, mode="bilinear", align_corners=False)
