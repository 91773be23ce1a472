"""Parts of a pixel: dates that lie off are moved back, and nothing else is moved."""

from __future__ import annotations

import pytest
import torch
from scipy import ndimage
from torch import Tensor

from xinpaint.nets.align import MOST, REACH, align, moved, shift
from xinpaint.nets.regression import Regression, regress, regressions


def image(side: int = 128, seed: int = 0, bands: int = 3) -> Tensor:
    """Fields and edges as a sensor sees them, ``[1 b y x]``."""
    maker = torch.Generator().manual_seed(seed)
    fine = torch.randn(1, bands, side, side, generator=maker)
    smooth = ndimage.gaussian_filter(fine.numpy(), (0, 0, 1.2, 1.2))
    return torch.from_numpy(smooth / smooth.std())


def off(values: Tensor, down: float, across: float) -> Tensor:
    """The same ground, but what lies at a pixel's place plus a shift is at the pixel."""
    told = ndimage.shift(values.numpy(), (0, 0, down, across), order=5, mode="nearest")
    return torch.from_numpy(told)


def gaps(side: int = 128) -> Tensor:
    context = torch.ones(1, 3, side, side)
    for row in range(10, side, 24):
        context[..., row : row + 8, :] = 0
    return context


def found(values: Tensor, context: Tensor, other: Tensor, mask: Tensor) -> Regression:
    return regressions(values * context, context, other * mask, mask, (1,), rough=True)[0]


@pytest.mark.parametrize(("down", "across"), [(0.0, 0.0), (0.3, -0.2), (-0.4, 0.0), (0.15, 0.35)])
def test_a_shift_is_found_and_taken_back(down: float, across: float) -> None:
    truth, context = image(), gaps()
    mask = torch.ones_like(context)
    other = off(2 * truth + 5, down, across)
    told = shift(truth * context, context, found(truth, context, other, mask))
    for part, wanted in zip(told, (down, across), strict=True):
        assert abs(float(part[..., 16:-16, 16:-16].mean()) - wanted) < 0.08
        assert float(part[..., 16:-16, 16:-16].std()) < 0.1
        assert float(part.abs().max()) <= MOST
    inner = (context == 0) & (torch.arange(128) % 112 > 16)
    back = align(truth * context, context, other, mask)
    errors = [
        (regress(truth * context, context, date, mask).mean - truth)[inner].square().mean()
        for date in (other, back)
    ]
    assert errors[1] < (0.5 * errors[0] if down or across else 1.1 * errors[0] + 1e-4)


def test_what_is_read_between_pixels_is_a_parabola() -> None:
    y, x = torch.meshgrid(torch.arange(32.0), torch.arange(32.0), indexing="ij")

    def ground(y: Tensor, x: Tensor) -> Tensor:
        return (3 + 0.5 * y - 0.2 * y**2 + x + 0.1 * x**2 + 0.03 * x * y)[None, None]

    down, across = 0.3 * torch.sin(y)[None, None], 0.4 * torch.cos(x)[None, None]
    told = moved(ground(y, x), torch.ones(1, 1, 32, 32), down, across)
    wanted = ground(y + down[0, 0], x + across[0, 0])
    torch.testing.assert_close(told[..., 1:-1, 1:-1], wanted[..., 1:-1, 1:-1], rtol=1e-4, atol=1e-3)
    still = moved(ground(y, x), torch.ones(1, 1, 32, 32), 0 * down, 0 * across)
    torch.testing.assert_close(still, ground(y, x), rtol=0, atol=0)


def test_a_pixel_beside_one_that_is_missing_stays() -> None:
    date, mask = image(32), torch.ones(1, 3, 32, 32)
    mask[..., 10, 10] = 0
    by = torch.full((1, 1, 32, 32), 0.4)
    told = moved(date * mask, mask, by, by)
    near, far = (..., slice(9, 12), slice(9, 12)), (..., slice(13, 30), slice(13, 30))
    torch.testing.assert_close(told[near], (date * mask)[near], rtol=0, atol=0)
    assert not torch.allclose(told[far], date[far], atol=0.05)


def test_units_mean_nothing() -> None:
    truth, context = image(), gaps()
    mask = torch.ones_like(context)
    other = off(truth, 0.3, 0.1)
    one = align(truth * context, context, other, mask)
    two = align((400 * truth - 9000) * context, context, 400 * other - 9000, mask)
    torch.testing.assert_close((two + 9000) / 400, one, rtol=0, atol=2e-3)


def test_nothing_beyond_the_reach_matters() -> None:
    truth, context = image(), gaps()
    mask = torch.ones_like(context)
    other = off(truth, 0.3, 0.1)
    one = align(truth * context, context, other, mask)
    other[..., :8, :] = 99.0
    truth[..., :8, :] = -50.0
    two = align(truth * context, context, other, mask)
    near = slice(8 + REACH, None)
    torch.testing.assert_close(two[..., near, :], one[..., near, :], rtol=0, atol=1e-4)
    assert not torch.allclose(two[..., 12:24, :], one[..., 12:24, :], atol=1e-3)


@pytest.mark.parametrize("kind", ["flat", "nothing in common", "nothing seen"])
def test_where_nothing_tells_nothing_moves(kind: str) -> None:
    truth, context = image(64), gaps(64)
    mask, other = torch.ones_like(context), off(truth, 0.3, 0.1)
    if kind == "flat":
        other = torch.full_like(other, 7.0)
    elif kind == "nothing seen":
        mask, other = torch.zeros_like(mask), torch.zeros_like(other)
    else:
        context = torch.zeros_like(context)
    told = align(truth * context, context, other, mask)
    torch.testing.assert_close(told, other, rtol=0, atol=1e-6)
