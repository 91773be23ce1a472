"""Devices without one: a stand-in whose memory is small, and mixed precision on the CPU."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import torch

from xinpaint.core.notes import noted
from xinpaint.core.task import Fill, Task
from xinpaint.errors import MethodError
from xinpaint.io import weights
from xinpaint.methods import devices, neural
from xinpaint.methods.neural import NeuralFiller
from xinpaint.nets.convcnp import ConvCNP
from xinpaint.nets.convnp import ConvNP

SMALL: dict[str, Any] = {"widths": [8, 8, 8], "shared": [0, 8, 8]}


def task(dates: int = 5, side: int = 48) -> Task:
    rng = np.random.default_rng(0)
    smooth = np.cumsum(np.cumsum(rng.normal(size=(dates, 2, side, side)), 2), 3)
    values = (smooth / smooth.std() * 300 + 2000).astype(np.float32)
    hole = rng.uniform(size=values.shape) < 0.3
    return Task(np.where(hole, 0, values).astype(np.float32), ~hole, hole, np.arange(dates) * 16.0)


class Crowded(torch.nn.Module):
    """A net on a device that holds so many images at once."""

    def __init__(self, net: torch.nn.Module, room: int, seen: list[int]) -> None:
        super().__init__()
        self.net, self.room, self.seen, self.stride = net, room, seen, net.stride

    def forward(self, values: torch.Tensor, *given: torch.Tensor) -> Any:
        self.seen.append(len(values))
        if len(values) > self.room:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate")
        return self.net(values, *given)


@dataclass(frozen=True)
class Source:
    """Nets with weights that do not matter; ``cpu:0`` stands for a device of small memory."""

    room: int = 99
    dated: bool = False
    sha256: str = "0" * 64
    probabilistic: bool = True
    seen: list[int] = field(default_factory=list)

    def net(self, device: str) -> Any:
        torch.manual_seed(0)
        net = ConvNP(SMALL, 8, 8, 8) if self.dated else ConvCNP(**SMALL)
        net.eval().requires_grad_(False)
        return net if device == "cpu" else Crowded(net, self.room, self.seen)


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neural, "resolve", lambda device: "cpu:0" if device == "auto" else device)


def close(one: Fill, other: Fill) -> None:
    assert one.std is not None and other.std is not None
    np.testing.assert_allclose(one.mean, other.mean, rtol=1e-4)
    np.testing.assert_allclose(one.std, other.std, rtol=1e-3)


@pytest.mark.usefixtures("stand_in")
@pytest.mark.parametrize(
    ("room", "calls", "told"),
    [
        (5, [5], []),
        (2, [5, 2, 3, 1, 2], ["the memory of cpu:0 ran out: fewer dates at once"]),
        (
            0,
            [5, 2, 1, 1, 3, 1, 2, 1, 1],
            [
                "the memory of cpu:0 ran out: fewer dates at once",
                "the memory of cpu:0 ran out: filled on the CPU",
            ],
        ),
    ],
)
def test_less_at_once_where_memory_runs_out(room: int, calls: list[int], told: list[str]) -> None:
    source = Source(room)
    with noted() as heard:
        made = NeuralFiller(source).fill(task())
    assert source.seen == calls
    assert heard == told
    close(made, NeuralFiller(source, "cpu").fill(task()))


@pytest.mark.usefixtures("stand_in")
def test_other_errors_are_not_taken_for_a_full_memory() -> None:
    class Broken(Source):
        def net(self, device: str) -> Any:
            def net(*_: Any) -> Any:
                raise RuntimeError("no kernel image is available")

            net.stride = 8  # type: ignore[attr-defined]
            return net

    with pytest.raises(RuntimeError, match="no kernel image"):
        NeuralFiller(Broken()).fill(task())


@pytest.mark.usefixtures("stand_in")
def test_dates_with_as_many_others_go_together() -> None:
    source = Source(dated=True)
    filler = NeuralFiller(source, context="time", max_dates=2, max_days=20)
    made = filler.fill(task())
    assert source.seen == [1, 3, 1]  # the first and the last date have one neighbour only
    alone = NeuralFiller(source, "cpu", context="time", max_dates=2, max_days=20)
    close(made, alone.fill(task()))


def test_batches_fit_the_budget() -> None:
    dates = [(k, ()) for k in range(7)]
    pixels = devices.BUDGET // devices.BYTES // 3
    assert [len(some) for some in devices.batches(dates, pixels, "cuda:0")] == [3, 3, 1]
    assert [len(some) for some in devices.batches(dates, pixels, "cpu")] == [1] * 7
    assert [len(some) for some in devices.batches(dates, 9 * pixels, "cuda:0")] == [1] * 7


def test_precision_is_one_that_is_known() -> None:
    with pytest.raises(MethodError, match=r"precision = 'tf32': use one of \['exact'"):
        NeuralFiller(Source(), "cpu", precision="tf32")
    assert "xinpaint_precision" not in NeuralFiller(Source(), "cpu").attrs
    assert NeuralFiller(Source(), "cpu", precision="bf16").attrs["xinpaint_precision"] == "bf16"


def test_mixed_precision_costs_little() -> None:
    """The shipped weights: the error in the gaps within 1 % of what exact arithmetic gives."""
    rng = np.random.default_rng(1)
    smooth = np.cumsum(np.cumsum(rng.normal(size=(1, 2, 96, 96)), 2), 3)
    truth = (smooth / smooth.std() * 300 + 2000).astype(np.float32)
    hole = np.broadcast_to(np.arange(96)[:, None] % 16 < 6, truth.shape).copy()
    made = Task(np.where(hole, 0, truth).astype(np.float32), ~hole, hole)
    error = {}
    for precision in ("exact", "bf16"):
        filler = weights.filler("convnp", device="cpu", context="space", precision=precision)
        fill = filler.fill(made)
        error[precision] = float(np.abs(fill.mean - truth)[hole].mean())
    assert error["bf16"] != error["exact"]
    assert error["bf16"] == pytest.approx(error["exact"], rel=1e-2)


def test_a_device_without_double_precision_is_refused() -> None:
    from xinpaint.errors import DeviceError

    with pytest.raises(DeviceError, match=r"'mps' has no double precision.*use 'cpu'"):
        devices.resolve("mps")
