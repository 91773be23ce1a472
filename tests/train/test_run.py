"""A run that stops early, is killed, is watched: its curve, its logs, its best weights."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest
import torch

from tests.train.tiny import losses_of
from xinpaint.errors import RecipeError
from xinpaint.train import checkpoint, loop
from xinpaint.train.evaluate import Score
from xinpaint.train.loader import Loader
from xinpaint.train.state import State

#: Trains by the recipe in argv, every step slowed down so that it can be killed between two.
SLOW = """
import sys, time
from xinpaint.train import loop
real = loop.advance
def slow(*args):
    time.sleep(0.3)
    return real(*args)
loop.advance = slow
loop.fit(sys.argv[1], sys.argv[2], data=sys.argv[3], progress=False)
"""


def curve_of_board(folder) -> list[tuple[int, float]]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    board = EventAccumulator(str(folder / "tensorboard"))
    board.Reload()
    return [(event.step, event.value) for event in board.Scalars("train/loss")]


def toml(plan) -> str:
    told = {k: v for k, v in plan.asdict().items() if v not in ((), {}, "")}
    tables = {k: told.pop(k) for k in list(told) if isinstance(told[k], dict)}

    def text(value) -> str:
        if isinstance(value, bool):
            return str(value).lower()
        if isinstance(value, str):
            return repr(value)
        return str(list(value) if isinstance(value, tuple) else value)

    lines = [f"{k} = {text(v)}" for k, v in told.items()]
    for name, table in tables.items():
        lines += [f"[{name}]", *(f"{k} = {v}" for k, v in table.items())]
    return "\n".join(lines)


def test_a_killed_run_ends_like_an_unbroken_one(folder, plan, tmp_path):
    """SIGKILL at a random moment, resumed: the same curve, log, and bytes of the weights."""
    asked = replace(plan, steps=8, save_every=3, validate_every=4, patience=5)
    whole = loop.fit(asked, tmp_path / "whole", data=folder, progress=False)
    (tmp_path / "r.toml").write_text(toml(asked))
    cut = tmp_path / "cut"
    command = [sys.executable, "-c", SLOW, str(tmp_path / "r.toml"), str(cut), str(folder)]
    child = subprocess.Popen(command, env={**os.environ, "OMP_NUM_THREADS": "1"})
    while not (cut / "checkpoint.pt").exists() and child.poll() is None:
        time.sleep(0.05)
    time.sleep(0.4)
    os.kill(child.pid, signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    assert len(losses_of(cut)) < 8
    resumed = loop.fit(asked, cut, data=folder, progress=False)
    assert (cut / "log.csv").read_bytes() == (tmp_path / "whole" / "log.csv").read_bytes()
    assert resumed.read_bytes() == whole.read_bytes()
    board = curve_of_board(cut)
    assert [step for step, _ in board] == list(range(1, 9))  # none twice, none lost
    assert [v for _, v in board] == pytest.approx([v for _, v in losses_of(cut)], abs=1e-5)


def test_without_tensorboard_a_run_says_so_and_its_curve_is_the_same(
    folder, plan, tmp_path, monkeypatch, capsys
):
    asked = replace(plan, steps=3)
    one = loop.fit(asked, tmp_path / "a", data=folder, progress=False, tensorboard=False)
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard.writer", None)
    two = loop.fit(asked, tmp_path / "b", data=folder, progress=False)
    assert "no log for TensorBoard: pip install 'xinpaint[train]'" in capsys.readouterr().out
    assert not (tmp_path / "a" / "tensorboard").exists()
    assert one.read_bytes() == two.read_bytes()
    assert losses_of(tmp_path / "a") == losses_of(tmp_path / "b")


def told(monkeypatch, scores: dict[int, float]) -> None:
    """Let validation answer with these CRPS, in turn."""
    left = list(scores.values())
    monkeypatch.setattr(
        loop.evaluate, "validate", lambda *_: Score(20.0, 0.9, left.pop(0) if left else 9.0)
    )


@pytest.fixture
def hasty(plan):
    return replace(plan, steps=12, save_every=5, validate_every=2, patience=2)


def test_patience_stops_and_writes_the_best(folder, hasty, tmp_path, monkeypatch):
    told(monkeypatch, {2: 0.5, 4: 0.3, 6: 0.4, 8: 0.35})
    loop.fit(hasty, tmp_path, data=folder, progress=False)
    assert [step for step, _ in losses_of(tmp_path)] == list(range(1, 9))
    held = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    assert (held["step"], held["least"], held["stale"]) == (8, 0.3, 2)
    # what was written is the average of step 4, not that of step 8
    from safetensors.torch import load_file

    written = load_file(tmp_path / "tiny.safetensors")
    assert torch.equal(written["stem.weight"], held["best"]["stem.weight"])
    assert not torch.equal(written["stem.weight"], held["average"]["stem.weight"])


def test_a_run_cut_while_impatient_ends_the_same(folder, hasty, tmp_path, monkeypatch):
    told(monkeypatch, {2: 0.5, 4: 0.3, 6: 0.4, 8: 0.35})
    whole = loop.fit(hasty, tmp_path / "whole", data=folder, progress=False)
    real, calls = loop.advance, []

    def stops(*args):
        calls.append(1)
        if len(calls) == 8:  # after the validation of step 6, the checkpoint being of step 5
            raise KeyboardInterrupt
        return real(*args)

    monkeypatch.setattr(loop, "advance", stops)
    told(monkeypatch, {2: 0.5, 4: 0.3, 6: 0.4})
    with pytest.raises(KeyboardInterrupt):
        loop.fit(hasty, tmp_path / "cut", data=folder, progress=False)
    monkeypatch.setattr(loop, "advance", real)
    told(monkeypatch, {6: 0.4, 8: 0.35})
    resumed = loop.fit(hasty, tmp_path / "cut", data=folder, progress=False)
    assert losses_of(tmp_path / "cut") == losses_of(tmp_path / "whole")
    assert resumed.read_bytes() == whole.read_bytes()
    # a run that has stopped is only written again
    again = loop.fit(hasty, tmp_path / "cut", data=folder, progress=False)
    assert again.read_bytes() == whole.read_bytes() and len(losses_of(tmp_path / "cut")) == 8


def test_keys_that_recipes_gain_do_not_orphan_a_run(folder, plan, tmp_path):
    asked = replace(plan, steps=2)
    loop.fit(asked, tmp_path, data=folder, progress=False)
    path = tmp_path / "checkpoint.pt"
    held = torch.load(path, weights_only=True)
    del held["recipe"]["patience"]  # as written before there was such a key
    torch.save(held, path)
    state = loop.begin(asked, "cpu")
    checkpoint.resume(state, asked, tmp_path, "cpu")
    assert state.step == 2
    with pytest.raises(RecipeError, match=r"of another recipe \(patience, rate\)"):
        checkpoint.resume(state, replace(asked, patience=1, rate=1.0), tmp_path, "cpu")


def test_the_best_is_kept_as_it_was() -> None:
    net = torch.nn.Linear(1, 1)
    state = State(net, net, torch.optim.SGD(net.parameters(), 0.1))
    state.judge(0.5)
    first = net.weight.item()
    with torch.no_grad():
        net.weight += 1
    state.judge(0.6)
    assert state.stale == 1 and state.best is not None
    assert state.best["weight"].item() == first
    state.judge(float("nan"))
    assert state.stale == 2 and state.least == 0.5


@pytest.mark.parametrize("threads", [1, 3])
def test_loaders_keep_the_order_and_know_how_long_was_waited(threads: int) -> None:
    def slow(step: int) -> int:
        time.sleep(0.02 if step % 2 else 0.0)
        return step * step

    loader = Loader(slow, 3, 11, threads=threads)
    assert list(loader) == [(k, k * k) for k in range(3, 11)]
    assert 0 < loader.waited <= loader.spent and loader.share == loader.waited / loader.spent
    assert list(Loader(slow, 5, 5)) == []


@pytest.mark.parametrize("threads", [1, 3])
def test_data_is_made_while_the_net_works(threads: int) -> None:
    made: list[int] = []
    ahead = iter(Loader(made.append, 0, 9, threads=threads))
    assert next(ahead) == (0, None)
    for _ in range(1000):  # the net is busy; nobody asks for more
        if len(made) == threads + 1:
            break
        time.sleep(0.01)
    assert sorted(made) == list(range(threads + 1))


def test_a_loader_says_what_went_wrong() -> None:
    def torn(step: int) -> int:
        if step == 2:
            raise OSError("disk")
        return step

    with pytest.raises(OSError, match="disk"):
        list(Loader(torn, 0, 9))
