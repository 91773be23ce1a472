"""What a fill job is given: slips are one sentence, and fillers of a script are known again."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import xinpaint
from tests.cube.fillers import WindowMean
from tests.cube.make import make
from tests.io.cubes import chunks
from xinpaint.errors import DataError, JobError
from xinpaint.io.verify import status

pytestmark = pytest.mark.filterwarnings("ignore:Consolidated metadata")
GIVEN: dict[str, Any] = {"block": 32, "progress": False}


@pytest.fixture
def src(tmp_path: Path) -> Path:
    """A small cube."""
    path = tmp_path / "a.zarr"
    make(1, 64, 64).chunk(time=1, y=32, x=32).to_zarr(path, zarr_format=2, consolidated=True)
    return path


@pytest.mark.parametrize(
    "shards", [2.5, "abc", (1.5, 2), (16,), {"y": 16}, np.float64(16)], ids=str
)
def test_shards_that_are_none_are_refused(src: Path, tmp_path: Path, shards: Any) -> None:
    dst = tmp_path / "out.zarr"
    with pytest.raises(JobError, match=r"found shards of .*; wanted a side, \(y, x\)"):
        xinpaint.fill(src, dst, "fillnodata", shards=shards, **GIVEN)
    assert not dst.exists()


def test_shards_may_be_numbers_of_numpy(src: Path, tmp_path: Path) -> None:
    dst = tmp_path / "out.zarr"
    assert xinpaint.fill(src, dst, "fillnodata", shards=np.int64(16), **GIVEN).complete
    assert xinpaint.fill(src, dst, "fillnodata", shards=[16, 16], **GIVEN).done == 0


def test_places_that_are_none_are_refused(src: Path, tmp_path: Path) -> None:
    dst, ds = tmp_path / "out.zarr", make(1, 8, 8)
    for wrong, told in (
        (None, "found NoneType as the source; wanted the path or URL"),
        (7, "found int as the source"),
        (ds, r"found Dataset as the source.*\.to_zarr\(path\) first, or .*\.inpaint"),
        (ds["red"], r"found DataArray as the source.*\.to_zarr"),
    ):
        with pytest.raises(DataError, match=told):
            xinpaint.fill(wrong, dst, "fillnodata", **GIVEN)
    for wrong in (None, 7, ds):
        kind = type(wrong).__name__
        with pytest.raises(JobError, match=f"found {kind} as the output; wanted a folder"):
            xinpaint.fill(src, wrong, "fillnodata", **GIVEN)
        with pytest.raises(JobError, match=f"found {kind} as the output"):
            xinpaint.open_filled(wrong)
    assert not dst.exists()


def test_storage_options_that_are_none_are_refused(src: Path, tmp_path: Path) -> None:
    dst, options = tmp_path / "out.zarr", {"storage_options": "a secret"}
    told = r"^storage_options= is a str; wanted a dict of names and values"
    with pytest.raises(JobError, match=told):
        xinpaint.fill(src, dst, "fillnodata", **GIVEN, **options)
    assert not dst.exists()
    xinpaint.fill(src, dst, "fillnodata", **GIVEN)
    for ask in (xinpaint.open_filled, xinpaint.verify, status):
        with pytest.raises(JobError, match=told):
            ask(dst, **options)
    with pytest.raises(JobError, match=told):
        xinpaint.append(src, dst, progress=False, **options)


SCRIPT = """
import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import xinpaint
from tests.cube.fillers import WindowMean

@dataclass(frozen=True)
class Mine(WindowMean):
    held: Any = None

what, src, dst, value = sys.argv[1:]
net = torch.nn.Linear(2, 2)
torch.nn.init.constant_(net.weight, float(value))
torch.nn.init.zeros_(net.bias)
given = Mine(5, held={"net": net, "table": np.arange(3), "half": torch.ones((), dtype=torch.half)})
try:
    if what == "verify":
        xinpaint.verify(dst, repair=True)
    report = xinpaint.fill(src, dst, given, block=32, progress=False)
    print(report.done, report.complete)
except xinpaint.errors.JobError as error:
    print(error)
"""


def test_a_filler_of_a_script_is_known_in_another_process(src: Path, tmp_path: Path) -> None:
    dst, script = tmp_path / "out.zarr", tmp_path / "script.py"
    script.write_text(SCRIPT)

    def run(what: str, value: int = 1) -> str:
        """What the script prints in a process of its own."""
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
        command = [sys.executable, "-W", "ignore", str(script), what, str(src), str(dst)]
        made = subprocess.run(
            [*command, str(value)], env=environment, capture_output=True, text=True, check=False
        )
        assert made.returncode == 0, made.stderr
        return made.stdout.strip()

    assert run("fill") == "4 True"
    whole = chunks(dst)
    (dst / "red/c/0/0/0").unlink()
    assert "pending again: 1 block, made by a filler of your own" in run("verify")
    assert run("fill") == "1 True"
    assert chunks(dst) == whole
    told = run("fill", 2)
    assert "Different: the filler, or what it holds" in told


def test_a_filler_of_a_script_that_does_not_pickle(
    src: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Mine(WindowMean):
        """Nobody finds it by its name."""

    monkeypatch.setattr(Mine, "__module__", "__main__")
    with pytest.raises(JobError, match=r"^the filler, or what it holds, cannot be pickled"):
        xinpaint.fill(src, tmp_path / "out.zarr", Mine(5), **GIVEN)
    assert not (tmp_path / "out.zarr").exists()


def test_another_filler_is_told_in_words(src: Path, tmp_path: Path) -> None:
    dst = tmp_path / "out.zarr"
    xinpaint.fill(src, dst, WindowMean(5), **GIVEN)
    with pytest.raises(JobError, match=r"Different: the filler, or what it holds .*__getstate__"):
        xinpaint.fill(src, dst, WindowMean(5, pattern=1.0), **GIVEN)
    with pytest.raises(JobError, match=r"different are the filler, or what it holds"):
        xinpaint.append(src, dst, WindowMean(5, pattern=1.0), progress=False)
