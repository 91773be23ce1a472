"""What a million blocks cost a driver: to plan, to write down, to execute some of."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dask.array
import numpy as np
import xarray as xr

from xinpaint.core.task import Fill, Task
from xinpaint.core.tiling import Halo
from xinpaint.io import ledger as ledgers
from xinpaint.io import store
from xinpaint.io.cluster import Cluster
from xinpaint.io.drive import Driver
from xinpaint.io.jobspec import Job, plan
from xinpaint.io.work import Outcome

#: Blocks along each side.
SIDE = 1000
#: Of which one in so many is executed by an engine that is done at once.
EVERY = 50


@dataclass(frozen=True)
class Unasked:
    """A filler for a cube that holds nothing."""

    halo = Halo(0, 5, 5)
    has_std = True

    def fill(self, task: Task) -> Fill:
        """Nobody asks."""
        raise AssertionError("there is nothing to fill")


class Nothing:
    """An engine that is done at once."""

    window = 64

    def submit(self, job: Job, index: tuple[int, int, int]) -> Future[Outcome]:
        """See `xinpaint.io.engine.Engine`."""
        future: Future[Outcome] = Future()
        future.set_result(Outcome(ledgers.EMPTY))
        return future

    def close(self) -> None:
        """See `xinpaint.io.engine.Engine`."""


class Watched:
    """A bar that shows nothing, and looks at the memory of its process from time to time."""

    def __init__(self, every: int = 0) -> None:
        self.every, self.count = every, 0
        self.seen: list[int] = []

    def update(self) -> None:
        """One block more."""
        self.count += 1
        if self.every and self.count % self.every == 0:
            self.seen.append(resident())

    def set_postfix(self, *_: Any, **__: Any) -> None:
        """Nobody looks."""


def resident() -> int:
    """Bytes of this process in memory."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def planned(folder: Path, chunk: int) -> tuple[Job, Any, Any]:
    """A job of a million blocks of `chunk` pixels on a source that holds nothing."""
    blank: Any = dask.array
    side = SIDE * chunk
    data = blank.zeros((1, side, side), chunks=(1, side, side), dtype=np.uint16)
    ds = xr.Dataset(
        {"red": (("time", "y", "x"), data, {"nodata": 0})},
        coords={
            "time": [np.datetime64("2003-07-01", "ns")],
            "y": -30.0 * np.arange(side),
            "x": 30.0 * np.arange(side),
        },
    )
    ds["red"].encoding["chunks"] = (1, chunk, chunk)
    ds.to_zarr(folder / "cube.zarr", compute=False, zarr_format=3, consolidated=False)
    paths = str(folder / "cube.zarr"), str(folder / "filled.zarr")
    return plan(*paths, Unasked(), {}, (1, chunk, chunk))


def written_down(folder: Path) -> Mapping[str, float]:
    """Processor seconds to plan, lay out, scan and save a million blocks, and to drive one."""
    took = {}
    begun = time.process_time()
    job, head, filler = planned(folder, 256)
    took["plan"] = time.process_time() - begun
    assert job.counts == (1, SIDE, SIDE)
    begun = time.process_time()
    store.create(job, head, filler)
    took["lay out"] = time.process_time() - begun
    begun = time.process_time()
    ledger = ledgers.Ledger(job.dst)
    assert ledger.counts()["pending"] == SIDE**2
    took["scan"] = time.process_time() - begun
    ledger.status[:] = ledgers.DONE
    ledger.status.ravel()[::EVERY] = ledgers.PENDING
    begun = time.process_time()
    ledger.flush()
    took["flush"] = time.process_time() - begun
    begun = time.process_time()
    Driver(job, ledger, Nothing(), Watched()).run()
    took["drive"] = (time.process_time() - begun) / (SIDE**2 / EVERY)
    assert ledgers.Ledger(job.dst).finished
    return took


def executed(folder: Path, blocks: int) -> Mapping[str, float]:
    """Execute some of a million blocks on a dask cluster of one process with two threads.

    Returns
    -------
    mapping
        ``driver``: processor seconds a block of the driver's own thread; ``process``: of its whole
        process, with client and scheduler; ``wall``; ``growth`` of that process in bytes, from the
        first tenth to the end.
    """
    import distributed

    job, head, filler = planned(folder, 16)
    store.create(job, head, filler)
    ledger = ledgers.Ledger(job.dst)
    ledger.status[:] = ledgers.DONE
    every = SIDE**2 // blocks
    ledger.status.ravel()[: every * blocks : every] = ledgers.PENDING
    bar = Watched(blocks // 10)
    given: dict[str, Any] = {"n_workers": 1, "threads_per_worker": 2, "dashboard_address": None}
    made: Any = distributed
    with made.LocalCluster(**given) as cluster, made.Client(cluster) as client:
        clocks = (time.thread_time, time.process_time, time.perf_counter)
        begun = [clock() for clock in clocks]
        Driver(job, ledger, Cluster(client), bar).run()
        spent = [(clock() - first) / blocks for clock, first in zip(clocks, begun, strict=True)]
    assert bar.count == blocks
    assert ledgers.Ledger(job.dst).finished
    growth = float(bar.seen[-1] - bar.seen[0])  # the first tenth warms up
    return dict(zip(("driver", "process", "wall"), spent, strict=True)) | {"growth": growth}


_LAZY = """
import resource, time, dask.array as da, numpy as np, xarray as xr, xinpaint
data = da.zeros((100, 2560, 2560), chunks=(1, 256, 256), dtype=np.uint16)
time_ = np.datetime64("2003-07-01", "ns") + 16 * np.arange(100) * np.timedelta64(1, "D")
ds = xr.Dataset({"red": (("time", "y", "x"), data, {"nodata": 0})}, coords={"time": time_})
begun = time.process_time()
filled = ds.inpaint.convnp(context="space", device="cpu")
lazy = filled.to_zarr("FOLDER/lazy.zarr", compute=False, zarr_format=3, consolidated=False)
print(time.process_time() - begun, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def lazily(folder: Path) -> tuple[float, float]:
    """The accessor's graph of 10,000 blocks, in a process of its own: seconds, bytes of it."""
    code = _LAZY.replace("FOLDER", str(folder))
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    seconds, kilobytes = map(float, run.stdout.split())
    # processor time, of one thread: a busy machine is no reason for a worse figure
    return seconds, 1024 * kilobytes
