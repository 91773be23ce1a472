"""Window sums: of what is in the window alone, to the last bit, wherever it lies."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage

from xinpaint.nets.setconv import local_density, local_statistics, window_sum


def field(seed: int = 0, shape: tuple[int, int] = (80, 91)) -> torch.Tensor:
    rng = np.random.default_rng(seed)
    return torch.from_numpy(rng.normal(size=(1, 2, *shape)))


@pytest.mark.parametrize("radius", [1, 2, 3, 6, 12, 16, 31])
def test_a_window_sum_is_a_convolution(radius: int) -> None:
    x = field()
    box = np.ones(2 * radius + 1)
    wanted = x.numpy()
    for _ in range(2):
        for axis in (2, 3):
            wanted = ndimage.convolve1d(wanted, box, axis=axis, mode="constant")
    np.testing.assert_allclose(window_sum(x, radius).numpy(), wanted, rtol=1e-12, atol=1e-10)


@pytest.mark.parametrize("radius", [3, 6, 16])
@pytest.mark.parametrize("far", [1e8, 1e20, 1e300])
def test_a_value_beyond_the_window_does_not_matter(radius: int, far: float) -> None:
    x = field()
    spoilt = x.clone()
    spoilt[..., 5, 7] = far
    clean = np.s_[..., 5 + 2 * radius + 1 :, 7 + 2 * radius + 1 :]
    assert torch.equal(window_sum(x, radius)[clean], window_sum(spoilt, radius)[clean])


@pytest.mark.parametrize("radius", [3, 6, 16])
def test_a_window_sum_is_the_same_in_any_tile(radius: int) -> None:
    x = field()
    whole, tile = window_sum(x, radius), window_sum(x[..., 3:, 5:], radius)
    inside = np.s_[..., 2 * radius :, 2 * radius :]
    assert torch.equal(whole[..., 3:, 5:][inside], tile[inside])


def test_one_pixel_has_no_spread_in_any_unit() -> None:
    rng = np.random.default_rng(1)
    context = torch.from_numpy((rng.uniform(size=(1, 1, 96, 96)) < 0.004).astype(np.float32))
    values = torch.from_numpy(rng.uniform(0.05, 0.4, (1, 1, 96, 96)).astype(np.float32))
    density = local_density(context, 6)
    flat = [local_statistics(values * context * by, density, 6)[1] == 0 for by in (1.0, 3.0, 0.7)]
    assert flat[0].sum() > 100
    assert torch.equal(flat[0], flat[1]) and torch.equal(flat[0], flat[2])
