"""What is set on tasks after training: the gate between dates and space, the spread of several."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from xinpaint.nets.convcnp import ConvCNP
from xinpaint.nets.convnp import ConvNP
from xinpaint.train import evaluate
from xinpaint.train.data import Batch
from xinpaint.train.evaluate import OFFSETS, Score, balance, validate, widen


def net() -> ConvNP:
    torch.manual_seed(0)
    return ConvNP({"widths": (8, 8, 8), "shared": (0, 8, 8)}, width=8, deep=8, shared=8).eval()


def task(name: str, truthful: bool = True) -> Batch:
    """A stripe to fill, beside a date that shows the ground, or another place."""
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(1, 1, 64, 64)).cumsum(2).cumsum(3).astype(np.float32) / 8
    truth += rng.normal(size=truth.shape).astype(np.float32)
    target = np.zeros_like(truth)
    target[..., 28:36, :] = 1
    other = truth if truthful else np.where(target > 0, truth[..., ::-1, ::-1], truth)
    away = np.array([[16.0]], np.float32)
    ones = np.ones_like(truth)[:, None]
    return Batch(truth, 1 - target, target, other[:, None], ones, away, name=name)


@pytest.mark.parametrize("best", OFFSETS)
def test_the_best_offset_stays_in_the_gate(monkeypatch: pytest.MonkeyPatch, best: float) -> None:
    made = net()
    assert made.decide.bias is not None
    begun = made.decide.bias.detach().clone()

    def score(net: ConvNP, tasks: list[Batch], device: str) -> Score:
        assert [t.name for t in tasks] == ["farm 0 real"] and net.decide.bias is not None
        return Score(-abs(float((net.decide.bias.detach() - begun)[0]) - best), 0.9, 0.1)

    monkeypatch.setattr(evaluate, "validate", score)
    assert balance(made, [task("farm 0 real"), task("pseudo-dates 3")]) == best
    assert float((made.decide.bias - begun)[0].detach()) == pytest.approx(best, abs=1e-6)
    assert torch.equal(made.decide.bias.detach()[1:], begun[1:])


def test_a_date_that_lies_is_believed_less_than_one_that_does_not() -> None:
    honest, cautious = net(), net()
    assert balance(honest, [task("true")]) < balance(cautious, [task("lie", truthful=False)])


def test_nets_and_tasks_without_real_dates_stay_as_they_are() -> None:
    one = task("farm 0 real")
    alone = replace(one, others=None, others_context=None, away=None)
    assert balance(net(), [task("pseudo-dates 0"), alone]) == 0
    assert balance(ConvCNP((8, 8, 8), (0, 8, 8)), [one]) == 0


def crowd(common: float) -> Batch:
    """A stripe beside four dates whose noise is half their own, half what they share."""
    one, rng = task("farm 0 real"), np.random.default_rng(1)
    shape = one.truth.shape
    shared = common * rng.normal(size=shape)
    dates = [one.truth + shared + rng.normal(size=shape) for _ in range(4)]
    others = np.stack(dates, 1).astype(np.float32)
    away = np.full((1, 4), 16, np.float32)
    return replace(one, others=others, others_context=np.ones_like(others), away=away)


def test_dates_that_err_together_widen_the_spread() -> None:
    made, tasks = net(), [crowd(common=1.0)]
    for _ in range(8):
        made.temperature.mul_(0.5)  # too sure
        if validate(made, tasks).coverage < 0.6:
            break
    assert widen(made, tasks) > 1
    assert validate(made, tasks).coverage == pytest.approx(0.9, abs=0.01)


def test_the_spread_is_never_made_narrower() -> None:
    made = net()
    made.temperature.fill_(50.0)
    assert widen(made, [crowd(common=0.0)]) == 1
    assert widen(made, []) == 1
    assert widen(ConvCNP(widths=(8, 8, 8), shared=(0, 8, 8)), [crowd(common=1.0)]) == 1
