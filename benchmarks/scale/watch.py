"""What a running job does: when its blocks were done, and the memory of its processes."""

from __future__ import annotations

import multiprocessing
import threading
from pathlib import Path
from types import TracebackType


class Memory:
    """Samples the resident bytes of this process's children, as a context manager."""

    def __init__(self, every: float = 0.5) -> None:
        self.samples: list[int] = []
        self._every, self._over = every, threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Memory:
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
            if sizes := [size for pid in pids if (size := resident(pid))]:
                self.samples.append(max(sizes))


def resident(pid: int) -> int:
    """Bytes of a process in memory; 0 where it has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS")), 0)


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


def steady(times: list[float], skip: int) -> float:
    """Blocks a second after the first `skip`, in which workers start and load the net."""
    return (len(times) - skip) / (times[-1] - times[skip - 1])
