"""Local regressions: how sure they are where little is shared, and far outside of what was seen."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from xinpaint.nets.regression import Evidence, regress, sorts, weigh

SIDE = 64
GAP = np.s_[28:36, 28:36]


def texture(rng: np.random.Generator, bands: int) -> np.ndarray:
    made = gaussian_filter(rng.normal(size=(1, bands, SIDE, SIDE)), (0, 0, 2, 2))
    return (made / made.std()).astype(np.float32)


def answer(
    truth: np.ndarray, others: list[tuple[np.ndarray, np.ndarray]]
) -> tuple[np.ndarray, np.ndarray]:
    """Errors and standard deviations in the gap."""
    context = np.ones_like(truth)
    context[:, :, *GAP] = 0
    values, mask = torch.from_numpy(truth * context), torch.from_numpy(context)
    told = [regress(values, mask, *(torch.from_numpy(part) for part in one)) for one in others]
    evidence: Evidence = weigh(told)[0]
    assert evidence.seen[:, :, *GAP].all()
    std = (evidence.error + evidence.apart).sqrt()
    part = np.s_[:, :, GAP[0], GAP[1]]
    return evidence.mean.numpy()[part] - truth[part], std.numpy()[part]


@pytest.mark.parametrize("bands", [6, 10, 13])
def test_a_date_of_few_common_pixels_does_not_win_the_vote(bands: int) -> None:
    errors, stds = [], []
    alone = []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        truth = texture(rng, bands)
        good = 0.9 * truth + 0.45 * texture(rng, bands)
        seen = np.zeros((SIDE, SIDE), np.float32)
        around = np.argwhere(seen == 0)
        away = np.abs(around - 31.5).max(1)
        seen[tuple(rng.permutation(around[(away > 4.5) & (away < 9)])[:13].T)] = 1
        seen[GAP] = 1
        seen = np.broadcast_to(seen, truth.shape).copy()
        noise = (texture(rng, bands) * seen, seen)
        both = [(good, np.ones_like(good)), noise]
        error, std = answer(truth, both)
        errors.append(error)
        stds.append(std)
        alone.append(answer(truth, both[:1])[0])
    error, std = np.stack(errors), np.stack(stds)
    assert np.sqrt(np.mean(error**2)) < 2 * np.sqrt(np.mean(np.stack(alone) ** 2))
    assert np.mean(np.abs(error) < 1.645 * std) > 0.8


@pytest.mark.parametrize("spoilt", [10.0, 100.0, 500.0])
def test_a_pixel_unlike_all_that_was_seen_is_known_to_be_unsure(spoilt: float) -> None:
    rng = np.random.default_rng(0)
    truth = texture(rng, 4)
    other = 0.95 * truth + 0.2 * texture(rng, 4)
    other[:, :, *GAP] += spoilt
    error, std = answer(truth, [(other, np.ones_like(other))])
    assert np.median(np.abs(error) / std) < 5


def test_a_date_that_lacks_a_band_is_regressed_on_the_others() -> None:
    rng = np.random.default_rng(0)
    truth, other = (torch.from_numpy(texture(rng, 3)) for _ in range(2))
    truth = other[:, [1, 2, 0]] + 0.1 * truth
    context, mask = torch.ones_like(truth), torch.ones_like(truth)
    context[..., 28:36, 28:36] = 0
    mask[:, :, 30, 30] = 0
    mask[:, 2, 10:12, 10:12] = 0  # a few pixels of a band are no other sensor
    whole = regress(truth * context, context, other, mask)
    assert whole.mean[..., 10:12, 10:12].isnan().all()
    mask[:, 1] = 0
    lacking = regress(truth * context, context, other, mask)
    pair = regress(truth * context, context, other[:, [0, 2]], mask[:, [0, 2]])
    for one, two in zip(lacking, pair, strict=True):
        torch.testing.assert_close(one, two, rtol=0, atol=0, equal_nan=True)
    mask[:, 1, :, :32] = 1
    part = regress(truth * context, context, other, mask)
    far = (..., slice(0, 24)), (..., slice(36, None))
    for where, like in zip(far, (whole.mean, pair.mean), strict=True):
        assert torch.equal(part.mean[where].isnan(), like[where].isnan())
    torch.testing.assert_close(part.mean[far[1]], pair.mean[far[1]], rtol=0, atol=0, equal_nan=True)
    assert [bands for bands, _ in sorts(mask)] == [[0, 2], [0, 1, 2]]


def test_a_date_without_any_band_is_one_that_saw_nothing() -> None:
    truth = torch.from_numpy(texture(np.random.default_rng(1), 2))
    nothing = torch.zeros_like(truth)
    nothing[0, 0, 0, 0] = 1  # of one band, one pixel
    told = regress(truth, torch.ones_like(truth), truth, nothing)
    assert told.mean.isnan().all() and not told.seen[..., 1:].any()
