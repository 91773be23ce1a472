"""Data made ahead of the step that needs it, and how long the net had to wait for it."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any


class Loader:
    """Steps with their data, made by other threads while the net works.

    The data of a step depends on its number alone, so however many threads make it, and in
    whatever order they finish, a run sees the same.

    Parameters
    ----------
    batch : callable
        Makes the data of a step from its number.
    first, last : int
        Steps from `first` up to, not including, `last`.
    threads : int, optional
        One fewer than there are cores, and at most four, where not given.
    """

    def __init__(
        self, batch: Callable[[int], Any], first: int, last: int, *, threads: int | None = None
    ) -> None:
        self.batch, self.steps = batch, range(first, last)
        self.threads = threads or max(1, min(4, (os.cpu_count() or 2) - 1))
        self.waited = self.spent = 0.0

    def __iter__(self) -> Iterator[tuple[int, Any]]:
        """Pairs of step and data."""
        begun, coming = time.perf_counter(), deque[tuple[int, Future[Any]]]()
        with ThreadPoolExecutor(self.threads) as pool:
            for step in self.steps[: self.threads]:
                coming.append((step, pool.submit(self.batch, step)))
            while coming:
                asked = time.perf_counter()
                step, made = coming.popleft()
                now = made.result()
                self.waited += time.perf_counter() - asked
                if step + self.threads in self.steps:
                    later = step + self.threads
                    coming.append((later, pool.submit(self.batch, later)))
                yield step, now
                self.spent = time.perf_counter() - begun

    @property
    def share(self) -> float:
        """Share of the time in which the net waited for data, 0 to 1."""
        return self.waited / self.spent if self.spent else 0.0
