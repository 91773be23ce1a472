"""A prediction is smoothed as far as that helps where the truth is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch import Tensor

from xinpaint.nets.smooth import REACH, smoother

SIDE = 96


def drawn(rough: float, blur: float = 0.0, seed: int = 0) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The date and its context, a noisy or blurred prediction of it, and its variance."""
    rng = np.random.default_rng(seed)
    truth = ndimage.gaussian_filter(rng.normal(size=(2, SIDE, SIDE)), (0, 1.5, 1.5))
    truth /= truth.std()
    mean = ndimage.gaussian_filter(truth, (0, blur, blur)) if blur else truth
    mean = mean + rough * rng.normal(size=truth.shape)
    context = np.ones_like(truth)
    context[:, :, 40:52] = 0
    noise = np.full_like(truth, ((mean - truth) ** 2).mean())
    parts = (truth * context, context, mean, noise)
    values, known, told, variance = (torch.from_numpy(p[None].astype(np.float32)) for p in parts)
    return values, known, told, variance


def truth(blur: float = 0.0) -> Tensor:
    return drawn(0.0, 0.0)[2]


def hidden_error(mean: Tensor) -> float:
    return float(((mean - truth())[..., 40:52] ** 2).mean())


def test_a_noisy_prediction_is_smoothed_and_a_blurred_one_sharpened() -> None:
    for rough, blur in ((0.5, 0.0), (0.0, 0.7)):
        values, context, mean, noise = drawn(rough, blur)
        better = mean + smoother(values, context, mean, noise)
        assert hidden_error(better) < 0.75 * hidden_error(mean)


def test_what_is_as_fine_as_the_ground_stays() -> None:
    rng = np.random.default_rng(3)
    ground = rng.normal(size=(1, 1, SIDE, SIDE))  # no two pixels alike
    mean = torch.from_numpy((ground + 0.1 * rng.normal(size=ground.shape)).astype(np.float32))
    values = torch.from_numpy(ground.astype(np.float32))
    added = smoother(values, torch.ones_like(values), mean, torch.full_like(values, 0.01))
    assert float(added.abs().mean()) < 0.03


def test_units_mean_nothing() -> None:
    values, context, mean, noise = drawn(0.5)
    one = smoother(values, context, mean, noise)
    scaled = smoother(8 * values, context, 8 * mean, 64 * noise)
    assert torch.equal(scaled, 8 * one)
    moved = smoother((values + 100) * context, context, mean + 100, noise)
    torch.testing.assert_close(moved, one, atol=1e-3, rtol=0)


def test_nothing_is_said_where_nothing_is_predicted() -> None:
    values, context, mean, noise = drawn(0.5)
    mean[..., 10:30, 20:60] = torch.nan
    noise[..., 60:70, :] = 0
    added = smoother(values, context, mean, noise)
    assert added.isfinite().all()
    assert (added[..., 10:30, 20:60] == 0).all() and (added[..., 60:70, :] == 0).all()
    assert (added != 0).float().mean() > 0.7
    nothing = smoother(values, torch.zeros_like(context), mean, noise)
    assert (nothing == 0).all()


@pytest.mark.parametrize("stray", [1e3, 1e6, 1e18, 3e38])
def test_a_stray_number_pulls_no_more_than_ten_deviations(stray: float) -> None:
    values, context, mean, noise = drawn(0.5)
    one = smoother(values, context, mean, noise)
    mean[..., 70, 45] = stray  # hidden
    mean[..., 20, 20] = -stray  # seen
    two = smoother(values, context, mean, noise)
    apart = (one - two).abs()
    apart[..., 70, 45] = apart[..., 20, 20] = 0
    assert two.isfinite().all()
    assert float(apart.max()) < 2 * float(noise.max().sqrt())
    far = torch.ones_like(apart, dtype=torch.bool)
    far[..., 69:72, 44:47] = far[..., 19:22, 19:22] = False
    assert float(apart[far].max()) < 0.1 * float(noise.max().sqrt())


def test_the_same_in_any_tile() -> None:
    values, context, mean, noise = drawn(0.5)
    mean[..., 33:37, 50:] = torch.nan
    whole = smoother(values, context, mean, noise)
    inside = np.s_[..., REACH:, REACH:]
    for corner in (np.s_[..., 3:, 5:], np.s_[..., 41:, 29:]):
        tile = smoother(*(part[corner] for part in (values, context, mean, noise)))
        assert torch.equal(whole[corner][inside], tile[inside])
