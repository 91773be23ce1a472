"""The driver: keeps blocks under way, writes their status, knows when to give one up."""

from __future__ import annotations

import contextlib
import errno
import queue
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor
from dataclasses import replace
from typing import Any
from uuid import uuid4

import numpy as np

from xinpaint.errors import JobError
from xinpaint.io.engine import Engine
from xinpaint.io.jobspec import Job
from xinpaint.io.ledger import FAILED, GROWN, PENDING, Ledger
from xinpaint.io.target import Target
from xinpaint.io.work import Index, Outcome

#: The status is written after so many blocks or seconds, whichever comes first.
FLUSH_BLOCKS, FLUSH_SECONDS = 1000, 5.0
#: How often a block is tried.
TRIES = 2


@contextlib.contextmanager
def told_if_full(dst: Target, needed: Callable[[], int] | None = None) -> Iterator[None]:
    """Raise JobError where a disk is full: which, how much is free, how much would be needed."""
    try:
        yield
    except OSError as error:
        if isinstance(error, FileExistsError | FileNotFoundError | NotADirectoryError):
            raise JobError(f"cannot write {dst.name}: {error}; choose another path") from error
        if isinstance(error, PermissionError):
            raise JobError(f"may not write {dst.name}: {error}; choose another path") from error
        if error.errno in (errno.EROFS, errno.ENAMETOOLONG):
            raise JobError(f"cannot write {dst.name}: {error}; choose another path") from error
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        free = dst.free()
        told = "disk full" if free is None else f"disk full: {free:,} bytes are free"
        more = f", about {needed():,} are needed" if needed and free is not None else ""
        raise JobError(
            f"{told} at {dst.name}{more} ({error.strerror}); make room and run the same command "
            "again"
        ) from error


class Driver:
    """Runs every pending block of a store once, with a window of blocks under way.

    Parameters
    ----------
    job : Job
    ledger : Ledger
    engine : Engine
    bar : tqdm
        Told of each finished block.
    """

    def __init__(self, job: Job, ledger: Ledger, engine: Engine, bar: Any) -> None:
        self.job, self.ledger, self.engine, self.bar = job, ledger, engine, bar
        self.blocks, self.pixels, self.failed = 0, 0, 0
        self._news: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._under_way: dict[Any, Index] = {}
        self._tries: Counter[Index] = Counter()
        self._again: list[Index] = []
        self._suspects: list[Index] = []
        self._alone: Counter[Index] = Counter()
        self._unsaved, self._saved, self._took = 0, time.monotonic(), 0.0

    def run(self) -> None:
        """Run to the end; whatever happens, what is done is written down.

        Raises
        ------
        JobError
            When the disk is full or the cluster is gone; the finished blocks are kept.
        """
        place = self.ledger.target
        if "store" not in self.ledger.attrs:  # a store of an earlier version
            self.ledger.say({"store": uuid4().hex})
        self.job = replace(self.job, fork=place.fork(), store=self.ledger.attrs["store"])
        free = place.free() or 0
        with told_if_full(place, lambda: self._needed(free)):
            self._run()

    def _needed(self, before: int) -> int:
        """Bytes that the other blocks will take, if they take as much as those of this run."""
        used = max(before - (self.ledger.target.free() or 0), 1)
        left = self.ledger.counts()["pending"]
        return used * left // max(self.blocks, 1)

    def _run(self) -> None:
        todo = self._todo()
        try:
            while True:
                self._fill_window(todo)
                if not self._under_way:
                    break
                with contextlib.suppress(queue.Empty):
                    self._hear(self._news.get(timeout=1.0))
                self._save_if_due()
        finally:
            # a full disk, a store that is another's; once more when the workers are gone
            with contextlib.suppress(OSError, JobError):
                self.ledger.flush()

    def _todo(self) -> Iterator[Index]:
        for t, y, x in np.argwhere(np.isin(self.ledger.status, (PENDING, GROWN))):
            yield int(t), int(y), int(x)

    def _fill_window(self, todo: Iterator[Index]) -> None:
        """Start blocks; those under way when a worker died run alone, to be told apart."""
        while len(self._under_way) < self.engine.window:
            if self._suspects:
                if self._under_way:
                    return
                index = self._suspects.pop()
                self._alone[index] += 1
                self._start(index)
                return
            following = self._again.pop() if self._again else next(todo, None)
            if following is None:
                return
            self._start(following)

    def _start(self, index: Index) -> None:
        grown = self.ledger.status[index] == GROWN
        future = self.engine.submit(self._longer(index) if grown else self.job, index)
        self._under_way[future] = index
        future.add_done_callback(self._news.put)

    def _longer(self, index: Index) -> Job:
        """The job for a block that has its older dates: all up to the last `append` into it."""
        first, last = self.job.tile(index).core[0]
        return replace(
            self.job, kept=max((n for n in self.job.dates if first < n < last), default=0)
        )

    def _hear(self, future: Any) -> None:
        index = self._under_way.pop(future)
        if future.cancelled():
            raise JobError("the workers went away: run the same command again to go on")
        error = future.exception()
        if isinstance(error, BrokenExecutor) and self._alone[index] < TRIES:
            self._suspects.append(index)
            return
        if error is None:
            outcome: Outcome = future.result()
        else:
            outcome = Outcome(FAILED, cause=f"its worker died ({type(error).__name__})")
        if outcome.disk_full:
            raise OSError(errno.ENOSPC, outcome.cause)
        if outcome.status == FAILED:
            self.ledger.held()  # else it may be the store that is no longer ours
        self._tries[index] += 1
        if outcome.status == FAILED and error is None and self._tries[index] < TRIES:
            self._again.append(index)
            return
        del self._tries[index], self._alone[index]
        if outcome.fork is not None:
            self.ledger.target.merge(outcome.fork)
        self._note(index, outcome)

    def _note(self, index: Index, outcome: Outcome) -> None:
        self.ledger.set(index, outcome.status, outcome.cause, "; ".join(outcome.notes))
        self.blocks += 1
        self.pixels += outcome.pixels
        self.failed += outcome.status == FAILED
        self._unsaved += 1
        self.bar.update()
        told = {"filled": f"{self.pixels:.3g} px"}
        self.bar.set_postfix(told | ({"failed": self.failed} if self.failed else {}), refresh=False)

    def _save_if_due(self) -> None:
        waited = time.monotonic() - self._saved
        due = min(max(FLUSH_SECONDS, 20 * self._took), 30.0)  # where saving is slow, more seldom
        if self._unsaved >= FLUSH_BLOCKS or (self._unsaved and waited >= due):
            begun = time.monotonic()
            self.ledger.flush()
            self._unsaved, self._saved = 0, time.monotonic()
            self._took = self._saved - begun
