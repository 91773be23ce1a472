"""Residuals of neighbours that look like a pixel on the other date, and of no others."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from xinpaint.nets.other import predict
from xinpaint.nets.regression import regress
from xinpaint.nets.similar import REACH, similar


def fields(side: int = 96, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Which of two crops grows in a pixel (fields of 5 × 7), and a date that tells, ``[1 2 y x]``.

    The second band is what the ground is like: it has nothing to do with crops.
    """
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side]
    crop = rng.integers(0, 2, (side, side))[y // 5, x // 7].astype(np.float32)
    ground = rng.normal(size=(side, side))
    date = np.stack([crop + 0.05 * rng.normal(size=crop.shape), ground])
    return torch.from_numpy(crop)[None, None], torch.from_numpy(date.astype(np.float32))[None]


def drawn() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Residual, both, other, inverse."""
    crop, date = fields()
    both = (torch.rand(1, 1, 96, 96, generator=torch.Generator().manual_seed(1)) > 0.4).float()
    residual = (2 * crop - 1).expand(-1, 2, -1, -1) * both
    inverse = torch.tensor([2.0, 0.0])[None, :, None, None].expand_as(date)
    return residual, both.expand_as(residual), date, inverse


def test_the_field_next_door_has_no_say() -> None:
    residual, both, date, inverse = drawn()
    wanted = 2 * fields()[0] - 1
    told, weight = similar(residual, both, date, inverse)
    blind, _ = similar(residual, both, date, torch.zeros_like(inverse))
    near = weight > 0.3
    assert near.float().mean() > 0.9
    assert ((told - wanted)[near] ** 2).mean() < 0.3 * ((blind - wanted)[near] ** 2).mean()


def test_a_pixel_does_not_hear_itself() -> None:
    residual, both, date, inverse = drawn()
    spoilt = residual.clone()
    spoilt[..., 40, 40] += 7
    one, two = (similar(part, both, date, inverse)[0] for part in (residual, spoilt))
    assert torch.equal(one[..., 40, 40], two[..., 40, 40])
    assert not torch.equal(one, two)


def test_units_mean_nothing_to_neighbours() -> None:
    residual, both, date, inverse = drawn()
    mean, weight = similar(residual, both, date, inverse)
    scaled, same = similar(8 * residual, both, 4 * date, inverse / 4)
    assert torch.equal(scaled, 8 * mean) and torch.equal(same, weight)


@pytest.mark.parametrize("bands_apart", [False, True])
def test_neighbours_are_the_same_in_any_tile(bands_apart: bool) -> None:
    residual, both, date, inverse = drawn()
    if bands_apart:
        both = both.clone()
        both[:, 1, 20:30] = 0
        residual = residual * both
    whole = similar(residual, both, date, inverse)
    inside = np.s_[..., REACH:, REACH:]
    for corner in (np.s_[..., 3:, 5:], np.s_[..., 33:, 5:]):  # in the second all bands agree
        tile = similar(*(part[corner] for part in (residual, both, date, inverse)))
        for one, two in zip(whole, tile, strict=True):
            assert torch.equal(one[corner][inside], two[inside])


@pytest.mark.parametrize("stray", [1e6, 1e30, 3e38])
def test_a_stray_number_stays_where_it_is(stray: float) -> None:
    residual, both, date, inverse = drawn()
    spoilt = date.clone()
    spoilt[:, 0, 40, 40] = stray
    told, _ = similar(residual, both, spoilt, inverse)
    clean, _ = similar(residual, both, date, inverse)
    assert bool(told.isfinite().all())
    far = np.s_[..., 40 + REACH + 1 :, :]
    assert torch.equal(told[far], clean[far])
    assert float(told.abs().max()) <= 1.0


def test_nobody_near_says_nothing() -> None:
    residual, both, date, inverse = drawn()
    both = both.clone()
    both[..., 20:60, :] = 0
    told, weight = similar(residual * both, both, date, inverse)
    assert float(weight[..., 20 + REACH : 60 - REACH, :].abs().max()) == 0
    assert float(told[..., 20 + REACH : 60 - REACH, :].abs().max()) == 0


def test_what_a_line_cannot_tell_is_learned_from_neighbours() -> None:
    """Crops that the other date tells apart changed in no way that is linear in its bands."""
    rng = np.random.default_rng(3)
    y, x = np.mgrid[:96, :96]
    kind = rng.integers(0, 3, (96, 96))[y // 6, x // 9]
    noise = 0.03 * rng.normal(size=(2, 96, 96))
    other = torch.from_numpy((kind + noise[0]).astype(np.float32))[None, None]
    truth = torch.from_numpy((np.array([0.0, 1.0, 0.0])[kind] + noise[1]).astype(np.float32))
    truth = truth[None, None]
    context = torch.ones_like(truth)
    context[..., 4::12, :] = 0
    context[..., 5::12, :] = 0
    seen, gap = torch.ones_like(other), context == 0
    line = regress(truth * context, context, other, seen)
    told = predict(truth * context, context, other, seen)
    errors = [((part.mean - truth)[gap] ** 2).mean() for part in (line, told)]
    assert errors[1] < 0.5 * errors[0]
    spread = (told.error * told.worse).sqrt()
    held = ((told.mean - truth).abs() < 1.645 * spread)[gap].float().mean()
    assert held > 0.8
