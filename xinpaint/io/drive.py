"""The driver: keeps blocks under way, writes their status, knows when to give one up."""

from __future__ import annotations

import contextlib
import queue
import shutil
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor
from typing import Any

import numpy as np

from xinpaint.errors import JobError
from xinpaint.io.engine import Engine
from xinpaint.io.jobspec import Job
from xinpaint.io.store import FAILED, PENDING, Ledger
from xinpaint.io.work import Index, Outcome

#: The status is written after so many blocks or seconds, whichever comes first.
FLUSH_BLOCKS, FLUSH_SECONDS = 1000, 30.0
#: How often a block is tried.
TRIES = 2


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
        self._unsaved, self._saved = 0, time.monotonic()

    def run(self) -> None:
        """Run to the end; whatever happens, what is done is written down.

        Raises
        ------
        JobError
            When the disk is full or the cluster is gone; the finished blocks are kept.
        """
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
            for future in self._under_way:
                future.cancel()
            self.ledger.flush()

    def _todo(self) -> Iterator[Index]:
        for t, y, x in np.argwhere(self.ledger.status == PENDING):
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
        future = self.engine.submit(self.job, index)
        self._under_way[future] = index
        future.add_done_callback(self._news.put)

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
            free = shutil.disk_usage(self.job.dst).free
            raise JobError(
                f"disk full: {free:,} bytes are free at {self.job.dst} ({outcome.cause}); make "
                "room and run the same command again"
            )
        self._tries[index] += 1
        if outcome.status == FAILED and error is None and self._tries[index] < TRIES:
            self._again.append(index)
            return
        del self._tries[index], self._alone[index]
        self._note(index, outcome)

    def _note(self, index: Index, outcome: Outcome) -> None:
        self.ledger.set(index, outcome.status, outcome.cause)
        self.blocks += 1
        self.pixels += outcome.pixels
        self.failed += outcome.status == FAILED
        self._unsaved += 1
        self.bar.update()
        told = {"filled": f"{self.pixels:.3g} px"}
        self.bar.set_postfix(told | ({"failed": self.failed} if self.failed else {}), refresh=False)

    def _save_if_due(self) -> None:
        waited = time.monotonic() - self._saved
        if self._unsaved >= FLUSH_BLOCKS or (self._unsaved and waited >= FLUSH_SECONDS):
            self.ledger.flush()
            self._unsaved, self._saved = 0, time.monotonic()
