"""Ridge systems of cells: a Gram matrix each, sums of them, coefficients and what they rest on."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

#: Side of a cell in pixels; the grid of cells is the global one.
CELL = 4
#: Half sides of the near and the wide window, and of the far one where both hold too little.
NEAR, WIDE, FAR = 2, 6, 14
#: And of the window that is looked through where nothing else says anything.
FARTHEST = 29
#: Share of the far window that must be common ground: with less, the farthest one errs less.
FAR_LEAST = 0.2
#: Likewise of the farthest, and what it has more of is that much surer: see :func:`support`.
FARTHEST_LEAST = 0.01
#: Weight of the wide window's pixels, which carry the regression where near ones are scarce.
WIDE_SHARE = 0.02
#: Ridge on standardised slopes.
RIDGE = 0.01
#: A regression stands on at least so many (weighted) pixels.
LEAST = 12.0
#: A spread this small against the mean is rounding.
FLAT = 2e-6


class Ground(NamedTuple):
    """What the regressions of a cell stand on, ``[n c Y X]``; 0 where that is too little.

    Whether it is enough, 1 / the number of pixels, and mean · and 1 / spread of the other date.
    """

    enough: Tensor
    rare: Tensor
    middle: Tensor
    inverse: Tensor


def _cells(x: Tensor) -> Tensor:
    """``[n c y x]`` to the pixels of each cell, ``[n cells_y cells_x 16 c]``."""
    n, c, height, width = x.shape
    x = x.reshape(n, c, height // CELL, CELL, width // CELL, CELL)
    return x.permute(0, 2, 4, 3, 5, 1).reshape(n, height // CELL, width // CELL, CELL * CELL, c)


def windows(x: Tensor, near: int, rough: bool) -> tuple[Tensor, Tensor]:
    """Sum of cells ``[n c y x]`` in the near window, and a share of the wide one.

    Where that is too little, as in the middle of a cloud, a share of the far one. And the sum of
    squared weights: (sum)² / that is how many pixels it is worth.
    """
    inner = _box(x, near)
    if rough:
        return inner, inner[:, :1]
    wide = _box(x, WIDE)
    squares = (1 + 2 * WIDE_SHARE) * inner[:, :1] + WIDE_SHARE**2 * wide[:, :1]
    found = inner + WIDE_SHARE * wide
    scarce = found[:, :1] < LEAST
    if not scarce.any():
        return found, squares
    far = _box(x, FAR)
    few = far[:, :1] < FAR_LEAST * (CELL * (2 * FAR + 1)) ** 2
    far = torch.where(few, 0.0, far)
    squares = torch.where(scarce, WIDE_SHARE**2 * far[:, :1], squares)
    return torch.where(scarce, WIDE_SHARE * far, found), squares


def support(both: Tensor, half: int = FARTHEST) -> Tensor:
    """Share of a window that is common ground, of ``[n b y x]`` such (0 or 1)."""
    cells = F.avg_pool2d(both.double(), CELL)
    return finer(_box(cells, half) / (2 * half + 1) ** 2)


def _box(x: Tensor, half: int) -> Tensor:
    size = 2 * half + 1
    x = F.avg_pool2d(x, (1, size), 1, (0, half), divisor_override=1)
    return F.avg_pool2d(x, (size, 1), 1, (half, 0), divisor_override=1)


def gram(values: Tensor, other: Tensor, both: Tensor) -> tuple[Tensor, tuple[int, int]]:
    """Sums of products of each cell, ``[n (1+c+b)(1+c)+b Y X]``, and (1+c+b, 1+c)."""
    count = other.shape[1]
    rows = _cells(torch.cat([both, other * both, values * both], 1).double())
    gram = rows.transpose(-1, -2) @ rows[..., : 1 + count]  # [n Y X (1+c+b) (1+c)]
    square = (rows[..., 1 + count :] ** 2).sum(-2)
    size = (gram.shape[-2], gram.shape[-1])
    return torch.cat([gram.flatten(-2), square], -1).permute(0, 3, 1, 2), size


def solve(sums: Tensor, squares: Tensor, size: tuple[int, int]) -> tuple[list[Tensor], Ground]:
    """Slopes ``[n b c Y X]``, intercept, residual variance and spread ``[n b Y X]`` a cell.

    And what they stand on; all of it is 0 in cells with too few pixels.
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
    pixels = number**2 / torch.where(enough, squares[:, 0], 1.0)[..., None]
    # so many coefficients explain some of it by chance
    spent = pixels / (pixels - size[1]).clamp_min(0.5)
    error = (spread**2 - fitted).clamp_min(0) * spent
    intercept = mean_y - (slopes * mean_x[..., None, :]).sum(-1)
    slopes = torch.where(enough[..., None, None], slopes, torch.zeros_like(slopes))
    error, intercept, spread = (
        torch.where(enough[..., None], part, torch.zeros_like(part))
        for part in (error, intercept, spread)
    )
    planes = [part.permute(0, 3, 1, 2) for part in (intercept, error, spread)]
    inverse = torch.where((scale_x > 0) & enough[..., None], 1 / scale_x.clamp_min(1e-300), 0.0)
    told = (enough[..., None].double(), enough[..., None] / pixels, mean_x * inverse, inverse)
    ground = Ground(*(part.permute(0, 3, 1, 2) for part in told))
    return [slopes.permute(0, 3, 4, 1, 2), *planes], ground


def leverage(ground: Ground, share: Tensor, other: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """By how much worse a pixel is predicted than those that taught it are, ``[n 1 y x]``.

    First for how few these were, then for how unlike them it is. z² is how far it lies from what
    was seen of the other date, in spreads, mean over its bands. Last, whether it is ground at all:
    a number a thousand spreads away says nothing.
    """
    share, bands = share.clamp_min(1e-12), other.shape[1]
    far = torch.zeros_like(share)
    for band in range(bands):
        middle, inverse = (
            finer(part[:, band : band + 1]) / share for part in (ground.middle, ground.inverse)
        )
        far = far + (other[:, band : band + 1].double() * inverse - middle) ** 2
    far = far / bands
    ground_there = far < 1e6  # not so for NaN, either
    far = torch.where(ground_there, far, 1e6)
    few = 1 + (1 + bands * far) * finer(ground.rare) / share
    # measured on the training pairs: ground unlike its surroundings changes unlike them
    return few, (0.7 * (1 + far / 2 + far**2 / 100) + few - 1) / few, ground_there


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


def finer(coarse: Tensor) -> Tensor:
    """Interpolate cells ``[n b Y X]`` to pixels."""
    return F.interpolate(coarse, scale_factor=CELL, mode="bilinear", align_corners=False)
