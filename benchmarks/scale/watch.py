"""What a running job does: when its blocks were done, memory and processor time of its workers."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

import numpy as np


class Workers:
    """Samples this process's children, as a context manager.

    Attributes
    ----------
    times : list of float
        Of each sample, by the clock of the file system.
    memory : list of int
        Resident bytes of the largest.
    spent : list of float
        Processor seconds of all of them since they began.
    """

    def __init__(self, every: float = 0.2) -> None:
        self.times: list[float] = []
        self.memory: list[int] = []
        self.spent: list[float] = []
        self._every, self._over = every, threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Workers:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(self._every):
            pids = [child.pid for child in multiprocessing.active_children() if child.pid]
            sizes = [size for pid in pids if (size := resident(pid))]
            if sizes and len(sizes) == len(pids):
                self.times.append(time.time())
                self.memory.append(max(sizes))
                self.spent.append(sum(processor_time(pid) for pid in pids))

    def spent_until(self, moment: float) -> float:
        """Processor seconds until a moment, between two samples in proportion."""
        return float(np.interp(moment, self.times, self.spent))


def resident(pid: int) -> int:
    """Bytes of a process in memory; 0 where it has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS")), 0)


def processor_time(pid: int) -> float:
    """Seconds of the processor that a process has had; 0 where it has ended."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return 0.0
    user, system = text.rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def highest() -> int:
    """Bytes of this process at their highest since `forget_highest`."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


def forget_highest() -> None:
    """Let `highest` begin anew."""
    Path("/proc/self/clear_refs").write_text("5")


def moments(dst: Path, band: str) -> list[float]:
    """When each block's first band was written, in order; the clock of the file system."""
    files = (file for file in (dst / band / "c").rglob("*") if file.is_file())
    return sorted(file.stat().st_mtime for file in files)


def steady(times: Sequence[float], skip: int) -> float:
    """Blocks a second after the first `skip`, in which workers start and load the net."""
    return (len(times) - skip) / (times[-1] - times[skip - 1])
