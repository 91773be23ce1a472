"""Blocks and drivers that outlive the store they were for: they leave the next one alone."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import xinpaint
from tests.cube.fillers import WindowMean
from tests.cube.make import make
from tests.io.cubes import Slow, chunks
from xinpaint.core.task import Fill, Task
from xinpaint.errors import JobError
from xinpaint.io import drive
from xinpaint.io.jobspec import Job
from xinpaint.io.ledger import FAILED, PENDING, Ledger
from xinpaint.io.work import run_block

pytestmark = pytest.mark.filterwarnings("ignore:Consolidated metadata")
GIVEN: dict[str, Any] = {"block": 32, "progress": False}


def cube(path: Path, dates: int = 1) -> Path:
    """The first dates of a small cube."""
    ds = make(2, 64, 64).isel(time=slice(0, dates))
    ds.chunk(time=1, y=32, x=32).to_zarr(path, zarr_format=2, consolidated=True)
    return path


class Killed(BaseException):
    """Nothing catches it, like a kill."""


def orphaned(src: Path, dst: Path, monkeypatch: pytest.MonkeyPatch) -> Job:
    """Begin a store and die; what the workers were told."""
    told: list[Job] = []

    def dies(driver: drive.Driver, *_: Any) -> None:
        told.append(driver.job)
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(drive.Driver, "_fill_window", dies)
        with pytest.raises(Killed):
            xinpaint.fill(src, dst, WindowMean(5, pattern=9.0), **GIVEN)
    return told[0]


@pytest.mark.parametrize("how", ["another", "none", "longer"])
def test_a_block_that_outlives_its_driver_writes_into_no_other_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    src, dst = cube(tmp_path / "a.zarr"), tmp_path / "out.zarr"
    job = orphaned(src, dst, monkeypatch)
    if how != "longer":
        shutil.rmtree(dst)
    if how == "another":
        xinpaint.fill(src, dst, "fillnodata", **GIVEN)
    elif how == "longer":
        longer = cube(tmp_path / "b.zarr", 2)
        xinpaint.append(longer, dst, WindowMean(5, pattern=9.0), progress=False)
    before = chunks(dst)
    outcome = run_block(job, (0, 0, 0))
    assert outcome.status == FAILED
    if how != "none":
        assert outcome.cause == f"{dst} is another job's now, or gone: nothing was written"
    assert dst.exists() == (how != "none")
    assert chunks(dst) == before


@dataclass(frozen=True)
class Disturbed(WindowMean):
    """While it fills, something happens to the store."""

    def fill(self, task: Task) -> Fill:
        happens.pop()() if happens else None
        return super().fill(task)


happens: list[Callable[[], Any]] = []


def test_a_driver_whose_store_was_begun_anew_leaves_it_alone(tmp_path: Path) -> None:
    src, dst = cube(tmp_path / "a.zarr"), tmp_path / "out.zarr"

    def anew() -> None:
        shutil.rmtree(dst)
        xinpaint.fill(src, dst, "fillnodata", **GIVEN)

    happens.append(anew)
    with pytest.raises(JobError, match=r"out.zarr is no longer this driver's"):
        xinpaint.fill(src, dst, Disturbed(5), progress=False)
    assert Ledger(dst).attrs["job"]["method"] == "fillnodata"
    xinpaint.fill(src, tmp_path / "whole.zarr", "fillnodata", **GIVEN)
    assert chunks(dst) == chunks(tmp_path / "whole.zarr")
    assert xinpaint.verify(dst, deep=True).ok


def test_a_store_that_does_not_say_which_it_is_says_so_when_it_is_resumed(tmp_path: Path) -> None:
    src, dst = cube(tmp_path / "a.zarr"), tmp_path / "out.zarr"
    xinpaint.fill(src, dst, "fillnodata", **GIVEN)
    before, ledger = chunks(dst), Ledger(dst)
    array = ledger._array(write=True)
    array.attrs.put({key: value for key, value in array.attrs.items() if key != "store"})
    array[...] = PENDING
    assert xinpaint.fill(src, dst, "fillnodata", **GIVEN).done == 4
    assert chunks(dst) == before
    assert len(Ledger(dst).attrs["store"]) == 32


def test_what_runs_on_a_cluster_ends_with_its_driver(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    distributed = pytest.importorskip("distributed")
    src, dst = cube(tmp_path / "a.zarr", 2), tmp_path / "out.zarr"
    monkeypatch.setattr(drive.Driver, "_note", lambda *_: (_ for _ in ()).throw(Killed))
    filler, short = Slow(5, seconds=0.5), {**GIVEN, "block": (1, 32, 32)}
    given = {"n_workers": 1, "threads_per_worker": 2, "processes": False}
    with (
        distributed.LocalCluster(**given, dashboard_address=None) as cluster,
        distributed.Client(cluster) as client,
    ):
        with pytest.raises(Killed):
            xinpaint.fill(src, dst, filler, client=client, **short)
        before = chunks(dst)
        time.sleep(0.7)
        assert chunks(dst) == before
        assert 2 <= sum(1 for key in before if key.startswith("red/")) < 8
