"""What tells a filler of the user's own from others: alike in every process, or refused."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from dask.base import tokenize

import xinpaint
from tests.cube.fillers import WindowMean
from tests.io.cubes import source
from xinpaint.errors import JobError
from xinpaint.io.own import token
from xinpaint.io.weights import filler
from xinpaint.methods.base import Filler
from xinpaint.methods.table import METHODS

pytestmark = pytest.mark.filterwarnings("ignore:Consolidated metadata")


@dataclass(frozen=True)
class Holds(WindowMean):
    """Has something with it."""

    held: Any = None


@dataclass(frozen=True)
class Counts(WindowMean):
    """Changes while it fills, and says that this does not count."""

    lock: Any = field(default_factory=threading.Lock)

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in vars(self).items() if key != "lock"}


SCRIPT = """
import torch
from tests.io.test_own import Holds, token

class Mine:
    def __init__(self, value): self.value = value

def function(): ...

torch.manual_seed(0)
net = torch.nn.Linear(2, 2)
net._non_persistent_buffers_set |= {"one", "two", "three"}
for held in (net, torch.ones(3), torch.Generator(), Mine(3), function, {"a", "bb", "ccc"}):
    print(token(Holds(5, held=held)))
"""


def test_a_filler_of_a_module_is_known_in_another_process() -> None:
    def run(seed: str) -> list[str]:
        """What the script prints in a process of its own."""
        where = {"PYTHONPATH": str(Path(__file__).parents[2]), "PYTHONHASHSEED": seed}
        made = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", SCRIPT],
            env={**os.environ, **where},
            capture_output=True,
            text=True,
            check=False,
        )
        assert made.returncode == 0, made.stderr
        return made.stdout.split()

    assert len(set(run("1"))) == 6
    assert run("1") == run("2")


@pytest.mark.parametrize("name", [*METHODS, "convnp"])
def test_tokens_of_methods_are_those_of_earlier_runs(name: str) -> None:
    made = filler(name)
    assert token(made) == tokenize(made)


def test_tensors_count_by_their_values() -> None:
    torch = pytest.importorskip("torch")
    made = [token(Holds(5, held=torch.full((2,), value))) for value in (1.0, 1.0, 2.0)]
    assert made[0] == made[1] != made[2]
    kinds = [torch.ones(2, dtype=kind) for kind in (torch.half, torch.bfloat16, torch.bool)]
    assert len({token(Holds(5, held=one)) for one in kinds}) == 3


def test_equal_strings_are_alike_whichever_object_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Holds, "__module__", "__main__")
    monkeypatch.setattr(sys.modules["__main__"], "Holds", Holds, raising=False)
    same: list[Any] = [
        {"first": "blue", "second": "blue"},
        json.loads('{"first": "blue", "second": "blue"}'),
        {"first": "blue", "second": "".join(["bl", "ue"])},
    ]
    assert len({token(Holds(5, held=held)) for held in same}) == 1


def test_what_cannot_be_told_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    source(tmp_path / "a.zarr", t=1, y=40, x=40)

    class Local(WindowMean):
        """Nobody finds it by its name."""

    wrong: list[Filler] = [Holds(5, held=threading.Lock()), Local(5)]
    for given in wrong:
        with pytest.raises(JobError, match=r"cannot be pickled .*leave out in its `__getstate__`"):
            xinpaint.fill(tmp_path / "a.zarr", tmp_path / "out.zarr", given, progress=False)
    assert not (tmp_path / "out.zarr").exists()


def test_what_a_filler_says_itself_counts() -> None:
    assert token(Counts(5)) == token(Counts(5)) != token(Counts(6))
