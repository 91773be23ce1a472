"""Anything that can happen to a fill job, in any order, against a model of its store in memory."""

from __future__ import annotations

import shutil
import tempfile
import warnings
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

import xinpaint
from tests.cube.fillers import WindowMean
from tests.io.cubes import Breaks, chunks, flip, source
from xinpaint.errors import JobError
from xinpaint.io import drive
from xinpaint.io.ledger import GROWN, PENDING, Ledger, block_name

pytestmark = [
    pytest.mark.filterwarnings("ignore:Consolidated metadata"),
    pytest.mark.filterwarnings("ignore:The data type"),  # text has no Zarr 3 specification yet
]
#: Pixels, block (of dates: so that appended ones share blocks with old ones), most dates.
SIDE, BLOCK, MOST = 90, (2, 72, 72), 5
GOOD = {1, 2, 3}  # filled, copied, empty
#: What was looked at, for those who read along.
LOOKED: Counter[str] = Counter()


@cache
def room() -> Path:
    return Path(tempfile.mkdtemp(prefix="xinpaint-machine-"))


@cache
def cube(dates: int) -> Path:
    """The source when it had so many dates."""
    path = room() / f"cube-{dates}.zarr"
    if not (room() / "by-date.zarr").exists():
        source(room() / "by-date.zarr", t=MOST, y=SIDE, x=SIDE)
    ds = xr.open_zarr(room() / "by-date.zarr", decode_coords="all", chunks={})
    ds = ds.isel(time=slice(0, dates)).chunk(time=2, y=72, x=72).drop_encoding()
    ds.to_zarr(path, zarr_format=2, consolidated=True)
    return path


@cache
def expected(dates: int) -> dict[str, bytes]:
    """What an unbroken run writes."""
    dst = room() / f"whole-{dates}.zarr"
    assert xinpaint.fill(cube(dates), dst, WindowMean(5), block=BLOCK, progress=False).complete
    return chunks(dst)


class Killed(BaseException):
    """Nothing catches it; the driver leaves no word behind."""


class Machine(RuleBasedStateMachine):
    """The model: how many dates the store was laid out for, and which chunks were damaged."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(dir=room()))
        self.dst, self.flag = self.folder / "filled.zarr", self.folder / "flag"
        self.dates = 0
        self.damaged: set[str] = set()
        LOOKED["stores"] += 1

    def teardown(self) -> None:
        shutil.rmtree(self.folder)

    def filler(self) -> Breaks:
        return Breaks(5, flag=str(self.flag))

    def run(self, dates: int, **given: Any) -> xinpaint.io.report.Report:
        """Fill or append; like a user, by what the source has become."""
        given = {"progress": False, **given}
        if self.dates and dates > self.dates:
            report = xinpaint.append(cube(dates), self.dst, self.filler(), **given)
        elif self.dates > 2:
            report = xinpaint.append(cube(self.dates), self.dst, self.filler(), **given)
        else:
            report = xinpaint.fill(cube(2), self.dst, self.filler(), block=BLOCK, **given)
        return report

    @initialize()
    def write(self) -> None:
        self.run(2)
        self.dates = 2

    @rule()
    def resume(self) -> None:
        before = Ledger(self.dst)
        waiting = int(np.isin(before.status, (PENDING, GROWN)).sum())
        report = self.run(self.dates)
        assert report.done == waiting
        assert report.blocks["pending"] == 0
        self._look_again()

    @rule(after=st.integers(0, 6), more=st.integers(0, 1))
    def kill(self, after: int, more: int) -> None:
        """The driver ends after so many blocks, and its last words are not written."""
        real = (drive.Driver._note, Ledger.flush)
        dates, left = min(self.dates + more, MOST), [after]

        def note(driver: drive.Driver, *given: Any) -> None:
            left[0] -= 1
            if left[0] < 0:
                Ledger.flush = lambda *_, **__: None  # type: ignore[method-assign]
                raise Killed
            real[0](driver, *given)
            real[1](driver.ledger)

        drive.Driver._note = note  # type: ignore[method-assign]
        try:
            self.run(dates)
        except Killed:
            pass
        finally:
            drive.Driver._note, Ledger.flush = real  # type: ignore[method-assign]
        self.dates = dates
        self._look_again()

    @precondition(lambda self: self.dates < MOST)
    @rule()
    def append(self) -> None:
        self.run(self.dates + 1)
        self.dates += 1
        assert Ledger(self.dst).attrs["job"]["dates"][-1] == self.dates
        self._look_again()

    @rule()
    def retry(self) -> None:
        report = self.run(self.dates, retry_failed=True)
        self._look_again()
        assert report.complete or self.flag.exists()

    @rule()
    def toggle_trouble(self) -> None:
        """From now on one corner fails, or no longer does."""
        if self.flag.exists():
            self.flag.unlink()
        else:
            self.flag.touch()

    @rule(where=st.floats(0, 1), bit=st.integers(0, 10**6), gone=st.booleans())
    def corrupt(self, where: float, bit: int, gone: bool) -> None:
        """A chunk of a block that is done loses a bit, or is lost."""
        keys = [key for key in self._of_done() if key not in self.damaged]
        if keys:
            key = sorted(keys)[int(where * (len(keys) - 1))]
            (self.dst / key).unlink() if gone else flip(self.dst / key, bit)
            self.damaged.add(key)

    @rule()
    def verify(self) -> None:
        """Damaged blocks, and only those, are found; mended as far as they do not fail."""
        found = xinpaint.verify(self.dst, deep=True)
        done = self._of_done()
        names = {block_name(self._block(key)) for key in self.damaged if key in done}
        assert {*found.missing, *found.corrupted} == names
        if names:
            with pytest.raises(JobError, match="pending again"):
                xinpaint.verify(self.dst, deep=True, repair=True)
            now = Ledger(self.dst).status
            assert all(now[tuple(map(int, name.split("/")))] == PENDING for name in names)

    @rule(other=st.sampled_from(["block", "method"]))
    def change_settings(self, other: str) -> None:
        before = chunks(self.dst)
        changed = {"block": (1, 72, 72)} if other == "block" else {"block": BLOCK}
        filler = self.filler() if other == "block" else WindowMean(7)
        with pytest.raises(JobError, match=other if self.dates == 2 else "Different|use append"):
            xinpaint.fill(cube(self.dates), self.dst, filler, **changed, progress=False)
        assert chunks(self.dst) == before

    @invariant()
    def what_is_done_is_right(self) -> None:
        if not self.dates:
            return
        there, whole = chunks(self.dst), expected(self.dates)
        LOOKED["states"] += 1
        for key in self._of_done():
            if key not in self.damaged:
                assert there.get(key) == whole[key], key
                LOOKED["chunks of blocks marked done"] += 1

    @invariant()
    def unfinished_is_said(self) -> None:
        if not self.dates:
            return
        ledger = Ledger(self.dst)
        assert not ledger.attrs["complete"] or ledger.finished
        with warnings.catch_warnings(record=True) as heard:
            warnings.simplefilter("always")
            xinpaint.open_filled(self.dst).close()
        unfinished = any("is unfinished" in str(one.message) for one in heard)
        assert unfinished == (not ledger.attrs["complete"])

    def _block(self, key: str) -> tuple[int, ...]:
        return tuple(int(place) for place in key.split("/")[-3:])

    def _of_done(self) -> set[str]:
        """Chunks of blocks that are marked done and whole."""
        status = Ledger(self.dst).status
        blockwise = [key for key in expected(self.dates) if key.count("/") == 4]
        return {key for key in blockwise if int(status[self._block(key)]) in GOOD}

    def _look_again(self) -> None:
        """Chunks that were written anew are whole; nothing else makes them so."""
        there, whole = chunks(self.dst), expected(self.dates)
        self.damaged = {key for key in self.damaged if there.get(key) != whole[key]}


def play(examples: int, steps: int) -> None:
    LOOKED.clear()
    try:
        run_state_machine_as_test(
            Machine,
            settings=settings(
                max_examples=examples,
                stateful_step_count=steps,
                deadline=None,
                derandomize=True,
                database=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
    finally:
        shutil.rmtree(room(), ignore_errors=True)
        for cached in (room, cube, expected):
            cached.cache_clear()
        print(f"{examples} examples of at most {steps} steps: {dict(LOOKED)}")


def test_anything_in_any_order() -> None:
    play(examples=3, steps=8)


@pytest.mark.slow
def test_anything_in_any_order_500_times() -> None:
    play(examples=500, steps=30)
