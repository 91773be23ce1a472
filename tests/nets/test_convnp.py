"""The net of space and dates, with weights as they fall: what must hold before any training."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from xinpaint.methods.neural import REACH_OF_DATES
from xinpaint.nets.convnp import ConvNP
from xinpaint.nets.other import answer
from xinpaint.nets.regression import REACH, regress, regressions
from xinpaint.nets.ridge import CELL, FARTHEST


def made_of(fine: bool, turns: int = 1) -> ConvNP:
    """A plain net, or one with all there is."""
    numbers = {"widths": (8, 8, 8), "shared": (0, 8, 8), "levels": fine} | (
        {"between": (12, 20), "turns": turns} if fine else {}
    )
    more = {"turns": turns, "align": turns > 1, "alike": turns > 1, "smooth": turns > 1}
    return ConvNP(numbers, width=8, deep=8, shared=8, fine=fine, **more)


@pytest.fixture(scope="module", params=[(False,), (True,), (True, 4)], ids=str)
def net(request: pytest.FixtureRequest) -> ConvNP:
    torch.manual_seed(3)
    made = made_of(*request.param)
    for parameter in made.parameters():  # a last layer near zero would hide what the trunk does
        parameter.data += 0.05 * torch.randn_like(parameter)
    return made.eval()


def drawn(dates: int, side: int = 96, seed: int = 0) -> list[Tensor]:
    """Values, context, others, others' context, days away."""
    maker = torch.Generator().manual_seed(seed)
    base = torch.nn.functional.avg_pool2d(
        torch.randn(1, 3, side + 8, side + 8, generator=maker), 9, 1
    )
    others = torch.stack(
        [base * (0.5 + k) + 0.1 * torch.randn(base.shape, generator=maker) for k in range(dates)], 1
    )
    context = (torch.rand(1, 1, side, side, generator=maker) > 0.3).float().expand_as(base)
    known = (torch.rand(1, dates, 1, side, side, generator=maker) > 0.2).float()
    away = 16 * torch.arange(1, dates + 1, dtype=torch.float32)[None]
    return [base * context, context.clone(), others, known.expand_as(others).clone(), away]


@pytest.mark.parametrize("dates", [0, 1, 3])
def test_band_by_band_is_all_at_once(net: ConvNP, dates: int) -> None:
    """Without gradients bands go through the net one by one; two images at once tell them apart."""
    given = [
        torch.cat(pair) for pair in zip(drawn(dates or 1), drawn(dates or 1, seed=1), strict=True)
    ]
    given = given if dates else given[:2]
    values = given[0].clone()
    together = net(*given)
    with torch.no_grad():
        singly = net(*given)
    for one, two in zip(singly, together, strict=True):
        torch.testing.assert_close(one, two, rtol=1e-4, atol=1e-5, equal_nan=True)
    torch.testing.assert_close(given[0], values, rtol=0, atol=0)


@torch.inference_mode()
def test_no_date_is_the_answer_from_space(net: ConvNP) -> None:
    values, context, others, known, away = drawn(2)
    space = net.spatial(values, context)
    for given in ((), (others[:, :0], known[:, :0], away[:, :0])):
        for one, two in zip(net(values, context, *given), space, strict=True):
            torch.testing.assert_close(one, two, rtol=0, atol=0)
    blind = net(values, context, others, torch.zeros_like(known), away)
    for one, two in zip(blind, space, strict=True):
        torch.testing.assert_close(one, two, rtol=0, atol=0)


def test_the_order_of_dates_means_nothing(net: ConvNP) -> None:
    values, context, others, known, away = drawn(4)
    order = [2, 0, 3, 1]
    one = net(values, context, others, known, away)
    two = net(values, context, others[:, order], known[:, order], away[:, order])
    for a, b in zip(one, two, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)


@torch.inference_mode()
def test_the_same_date_again_is_no_news(net: ConvNP) -> None:
    """Rows of a path overlap: what is said twice is neither truer nor less sure."""
    values, context, others, known, away = drawn(1)
    one = net(values, context, others, known, away)
    again = (part.repeat_interleave(3, 1) for part in (others, known, away))
    try:
        net.several.fill_(2.0)
        two = net(values, context, *again)
    finally:
        net.several.fill_(1.0)
    for a, b in zip(one, two, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


def test_a_date_that_saw_nothing_changes_nothing(net: ConvNP) -> None:
    values, context, others, known, away = drawn(3)
    known[:, 1] = 0
    one = net(values, context, others, known, away)
    keep = [0, 2]
    two = net(values, context, others[:, keep], known[:, keep], away[:, keep])
    for a, b in zip(one, two, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)


def test_units_mean_nothing(net: ConvNP) -> None:
    values, context, others, known, away = drawn(2)
    mean, std = net(values, context, others, known, away)
    other = net(
        (values * 400 - 9000) * context, context, (others * 400 - 9000) * known, known, away
    )
    torch.testing.assert_close((other[0] + 9000) / 400, mean, rtol=0, atol=2e-3)
    torch.testing.assert_close(other[1] / 400, std, rtol=0, atol=2e-3)


def test_nothing_beyond_the_reach_matters(net: ConvNP) -> None:
    assert net.reach <= (REACH_OF_DATES if net.ways.align else 104)
    given = drawn(1, side=176)
    one = net(*given)
    far = [part.clone() for part in given]
    for part in (far[0], far[2]):
        part[..., :8, :] = 99.0
    two = net(*far)
    near = slice(8 + net.reach, None)
    for a, b in zip(one, two, strict=True):
        torch.testing.assert_close(a[..., near, :], b[..., near, :], rtol=0, atol=1e-4)


def test_gradients_are_finite_where_nothing_was_seen(net: ConvNP) -> None:
    values, context, others, known, away = drawn(2)
    known[..., :40, :] = 0
    others[..., 60:, :] = 0.25
    values[..., 60:, :] = 0.25 * context[..., 60:, :]
    net.train()
    mean, std = net(values, context, others, known, away)
    (mean.square().mean() + std.mean()).backward()
    learning = [p for p in net.parameters() if p.requires_grad]
    assert learning
    assert all(p.grad is not None and bool(p.grad.isfinite().all()) for p in learning)
    assert all(p.grad is None for p in net.spatial.parameters())
    net.eval()


def test_a_narrow_window_follows_what_changes_near_by() -> None:
    """The relation between two dates turns over within a few pixels: the narrow window sees it."""
    _, context, others, known, _ = drawn(1)
    turn = torch.where(torch.arange(96) % 32 < 16, 1.0, -1.0)
    truth = others[:, 0] * turn + 0.5
    known = torch.ones_like(known[:, 0])
    wide, narrow = regressions(truth * context, context, others[:, 0], known, (4, 1))
    gap = context == 0
    errors = [(r.mean - truth)[gap & r.mean.isfinite()].square().mean() for r in (wide, narrow)]
    assert errors[1] < 0.8 * errors[0]


def test_a_regression_finds_a_linear_relation() -> None:
    _, context, others, known, _ = drawn(1)
    other, seen = others[:, 0], torch.ones_like(known[:, 0])
    truth = 3 + torch.einsum("kc,ncyx->nkyx", torch.tensor([[1.0, 2, 0], [0, 0, -1]]), other)
    told = regress(truth * context[:, :2], context[:, :2], other, seen)
    error = (told.mean - truth).square().mean().sqrt()
    assert error < 0.02 * truth.std()
    assert told.error.sqrt().mean() < 0.05 * truth.std()


def test_a_regression_is_silent_where_nothing_is_common() -> None:
    _, context, others, known, _ = drawn(1, side=160)
    context[..., :120] = 0
    told = regress(others[:, 0] * context, context, others[:, 0], torch.ones_like(known[:, 0]))
    assert told.mean[..., : 120 - REACH].isnan().all()
    assert told.mean[..., 120:].isfinite().all()
    unseen = regress(others[:, 0] * context, context, others[:, 0], known[:, 0])
    assert unseen.mean[known[:, 0] == 0].isnan().all()


@torch.inference_mode()
def test_the_middle_of_a_cloud_is_what_the_dates_say(net: ConvNP) -> None:
    """There a net sees nothing to judge by: the regressions answer, with their own spread."""
    _, context, others, known, away = drawn(1, side=160)
    truth = 2 * others[:, 0] + 1
    context[..., 30:130, 30:130] = 0
    known[:] = 1
    mean, std = net(truth * context, context, others, known, away)
    inner = (..., slice(60, 100), slice(60, 100))
    torch.testing.assert_close(mean[inner], truth[inner], rtol=0, atol=0.1)
    spread = truth.std()
    assert (std[inner] < 0.2 * spread).all()
    assert (mean[inner] - net.spatial(truth * context, context)[0][inner]).abs().max() > spread


@torch.inference_mode()
def test_the_middle_of_a_large_cloud_is_what_a_very_wide_window_says(net: ConvNP) -> None:
    """Dates are heard as far as the halo reaches; a pixel that none of them saw stays as it is."""
    maker = torch.Generator().manual_seed(3)
    other = torch.nn.functional.avg_pool2d(torch.randn(1, 2, 264, 264, generator=maker), 9, 1)
    truth, context, known = 3 * other + 1, torch.ones_like(other), torch.ones_like(other)
    context[..., 18:238, 18:238] = 0
    known[..., 120:124, 120:130] = 0
    away = torch.full((1, 1), 16.0)
    mean, std = net(truth * context, context, other[:, None], known[:, None], away)
    told = answer(truth * context, context, [(other, known)])
    inner = (..., slice(80, 176), slice(80, 176))
    for found in (mean[inner], torch.where(told.seen, told.mean, torch.nan)[inner]):
        assert torch.equal(found.isfinite(), known[inner] > 0)
        seen = found.isfinite()
        torch.testing.assert_close(found[seen], truth[inner][seen], rtol=0, atol=0.15)
    assert (std[inner][known[inner] > 0] < 0.2 * truth.std()).all()
    context[:] = 0
    context[..., :60, :] = 1
    mean, _ = net(truth * context, context, other[:, None], known[:, None], away)
    assert mean[..., 59 + FARTHEST * CELL - CELL, :].isfinite().all()
    assert mean[..., 60 + (FARTHEST + 2) * CELL :, :].isnan().all()


def test_a_regression_reaches_into_a_cloud() -> None:
    """Where nothing common is near, a far window tells; beyond it nothing does."""
    maker = torch.Generator().manual_seed(0)
    other = torch.nn.functional.avg_pool2d(torch.randn(1, 2, 248, 248, generator=maker), 9, 1)
    for side, reached in ((40, True), (100, True), (200, False)):
        context = torch.ones_like(other)
        context[..., 20 : 20 + side, 20 : 20 + side] = 0
        found = regress((3 * other + 1) * context, context, other, torch.ones_like(other))
        middle = 20 + side // 2
        assert found.mean[..., middle, middle].isfinite().all() == reached
        there = found.mean.isfinite()
        torch.testing.assert_close(found.mean[there], (3 * other + 1)[there], rtol=0, atol=0.1)
