"""Dates that lie: the shipped net must notice around the gap what it cannot see inside."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from xinpaint.core.task import Task
from xinpaint.io.weights import filler

SIDE = 128


def scene(seed: int) -> np.ndarray:
    """Fields with straight borders and some texture, ``[3 y x]``, about 0 to 1."""
    rng = np.random.default_rng(seed)
    rows, cols = np.mgrid[:SIDE, :SIDE] // 12
    kinds = rng.uniform(0.2, 0.9, (3, SIDE, SIDE))[:, rows, cols]
    noise = ndimage.gaussian_filter(rng.normal(size=(3, SIDE, SIDE)), (0, 1, 1))
    return (kinds + 0.03 * noise).astype(np.float32)


def filled(truth: np.ndarray, others: list[np.ndarray], context: str = "auto"):
    """Mean and std of the stripes of the first date."""
    gap = (np.arange(SIDE) + 3) % 32 < 8
    values = np.stack([truth, *others])
    seen = np.ones(values.shape, bool)
    seen[0, :, gap] = False
    days = 16.0 * np.arange(len(values))
    fill = filler("convnp", context=context).fill(Task(values, seen, ~seen, days))
    hidden = np.zeros((3, SIDE, SIDE), bool)
    hidden[:, gap] = True
    return fill.mean[0], fill.std[0], hidden


def other(truth: np.ndarray, seed: int) -> np.ndarray:
    """The same place on another day: another level and contrast of each band, noise."""
    rng = np.random.default_rng(seed)
    gain, offset = rng.uniform(0.6, 1.4, (2, 3, 1, 1))
    return (truth * gain + offset + rng.normal(0, 0.01, truth.shape)).astype(np.float32)


@pytest.mark.parametrize("seed", [0, 1])
def test_an_honest_date_is_believed(seed):
    truth = scene(seed)
    mean, std, hidden = filled(truth, [other(truth, seed + 9)])
    alone, doubt, _ = filled(truth, [], context="space")
    assert np.sqrt(((mean - truth)[hidden] ** 2).mean()) < 0.3 * np.sqrt(
        ((alone - truth)[hidden] ** 2).mean()
    )
    assert std[hidden].mean() < 0.4 * doubt[hidden].mean()


@pytest.mark.parametrize("seed", [0, 1])
def test_where_a_date_lies_the_answer_stays_near_that_of_space_and_is_less_sure(seed):
    truth, elsewhere = scene(seed), scene(seed + 50)
    rows, cols = np.mgrid[:SIDE, :SIDE]
    lie = (rows - 64) ** 2 + (cols - 64) ** 2 < 36**2
    told = other(truth, seed + 9)
    mean, std, hidden = filled(truth, [np.where(lie, other(elsewhere, seed + 9), told)])
    honest, sure, _ = filled(truth, [told])
    alone, _, _ = filled(truth, [], context="space")
    inside = hidden & lie
    error, least = (np.sqrt(((m - truth)[inside] ** 2).mean()) for m in (mean, alone))
    assert error < 1.45 * least
    assert std[inside].mean() > 3 * sure[inside].mean()
    outside = hidden & ~ndimage.binary_dilation(lie, iterations=40)
    np.testing.assert_allclose(mean[outside], honest[outside], atol=0.02)


def test_a_date_that_lies_is_outvoted_by_those_that_do_not():
    truth = scene(3)
    liar = other(scene(70), 1)
    honest = [other(truth, k) for k in (5, 6)]
    mean, _, hidden = filled(truth, [liar, *honest])
    best, _, _ = filled(truth, honest)
    error, least = (np.sqrt(((m - truth)[hidden] ** 2).mean()) for m in (mean, best))
    assert error < 1.3 * least


@pytest.mark.parametrize("stray", [-9999.0, 1e20, -3.4e38])
@pytest.mark.parametrize("method", ["convnp", "regression"])
@pytest.mark.parametrize("dates", [1, 3])
def test_an_undeclared_nodata_in_another_date_is_no_ground(stray, method, dates):
    truth = scene(4)
    others = [other(truth, k) for k in range(dates)]
    gap = (np.arange(SIDE) + 3) % 32 < 8
    values = np.stack([truth, *others])
    seen = np.ones(values.shape, bool)
    seen[0, :, gap] = False
    days = 16.0 * np.arange(len(values))
    row = int(np.flatnonzero(gap)[len(np.flatnonzero(gap)) // 2])
    spoilt = values.copy()
    spoilt[1, :, row : row + 2, 60:63] = stray
    clean, told = (filler(method).fill(Task(v, seen, ~seen, days)) for v in (values, spoilt))
    mean, std = told.mean[0][:, gap], told.std[0][:, gap]
    known = np.isfinite(mean)
    assert np.isfinite(std[known]).all()
    lost = 0 if method == "convnp" or dates > 1 else 18  # nothing else can say what is there
    assert (~known).sum() <= lost
    rest = np.abs(mean - clean.mean[0][:, gap])[known]
    assert rest.max() < 0.5 and np.median(rest) < 1e-3
