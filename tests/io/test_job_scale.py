"""A million blocks cost a driver next to nothing."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import time
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import dask.array
import numpy as np
import pytest
import xarray as xr

from tests.cube.fillers import WindowMean
from xinpaint.io import ledger as ledgers
from xinpaint.io import store
from xinpaint.io.drive import Driver
from xinpaint.io.engine import Cluster
from xinpaint.io.jobspec import Job, plan
from xinpaint.io.work import Outcome

SIDE = 256_000


class Nothing:
    """An engine that is done at once."""

    window = 64

    def submit(self, job: Job, index: tuple[int, int, int]) -> Future[Outcome]:
        future: Future[Outcome] = Future()
        future.set_result(Outcome(ledgers.EMPTY))
        return future

    def close(self) -> None: ...


class NoBar:
    def update(self) -> None: ...

    def set_postfix(self, *_: Any, **__: Any) -> None: ...


def planned(tmp_path: Path, side: int, chunk: int) -> tuple[Job, Any, Any]:
    """A job of a million blocks on a source that holds nothing."""
    blank: Any = dask.array
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
    ds.to_zarr(tmp_path / "cube.zarr", compute=False, zarr_format=3)
    paths = str(tmp_path / "cube.zarr"), str(tmp_path / "filled.zarr")
    return plan(*paths, WindowMean(5), {}, (1, chunk, chunk))


@pytest.mark.filterwarnings("ignore:Consolidated metadata")
def test_a_million_blocks(tmp_path: Path) -> None:
    took = {}

    def lap(name: str) -> None:
        took[name] = time.process_time() - begun

    begun = time.process_time()
    job, head, filler = planned(tmp_path, SIDE, 256)
    lap("plan")
    assert job.counts == (1, 1000, 1000)
    begun = time.process_time()
    store.create(job, head, filler)
    lap("create")
    begun = time.process_time()
    ledger = ledgers.Ledger(job.dst)
    assert ledger.counts()["pending"] == 1_000_000
    lap("scan")
    ledger.status[:] = ledgers.DONE
    ledger.status.ravel()[::50] = ledgers.PENDING
    begun = time.process_time()
    ledger.flush()
    lap("flush")
    begun = time.process_time()
    Driver(job, ledger, Nothing(), NoBar()).run()
    took["drive a block"] = (time.process_time() - begun) / 20_000
    print({name: f"{1000 * seconds:.3g} ms" for name, seconds in took.items()})
    assert ledgers.Ledger(job.dst).finished
    assert took["scan"] <= 1
    assert took["flush"] <= 0.1
    assert took["drive a block"] <= 0.01


def resident() -> int:
    """Bytes of this process in memory."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


class Watched(NoBar):
    """A bar that looks at the memory of driver and scheduler from time to time."""

    def __init__(self, every: int) -> None:
        self.every, self.count, self.seen = every, 0, []

    def update(self) -> None:
        self.count += 1
        if self.count % self.every == 0:
            self.seen.append(resident())


def execute(tmp_path: Path, blocks: int) -> tuple[float, float]:
    """Execute some of a million blocks on a cluster; driver s a block, growth in bytes."""
    distributed = pytest.importorskip("distributed")
    job, head, filler = planned(tmp_path, 16_000, 16)
    store.create(job, head, filler)
    ledger = ledgers.Ledger(job.dst)
    ledger.status[:] = ledgers.DONE
    ledger.status.ravel()[:: 1_000_000 // blocks] = ledgers.PENDING
    bar = Watched(blocks // 10)
    given = {"n_workers": 1, "threads_per_worker": 2, "dashboard_address": None}
    with distributed.LocalCluster(**given) as cluster, distributed.Client(cluster) as client:
        begun = time.thread_time()
        Driver(job, ledger, Cluster(client), bar).run()
        driver = (time.thread_time() - begun) / blocks
    assert bar.count == blocks
    assert ledgers.Ledger(job.dst).finished
    growth = bar.seen[-1] - bar.seen[0]  # the first tenth warms up
    print(
        f"{blocks} of 1,000,000 blocks executed: driver {1000 * driver:.2f} ms a block, "
        f"driver and scheduler grew by {growth / 1e6:.1f} MB"
    )
    return driver, growth


@pytest.mark.filterwarnings("ignore")  # whatever a local cluster says of ports and timers
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc")
def test_a_few_of_a_million_are_executed(tmp_path: Path) -> None:
    driver, growth = execute(tmp_path, 200)
    assert driver <= 0.05
    assert growth <= 50e6


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # whatever a local cluster says of ports and timers
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc")
def test_20000_of_a_million_are_executed(tmp_path: Path) -> None:
    driver, growth = execute(tmp_path, 20_000)
    assert driver <= 0.01
    assert growth <= 20e6


LAZY = """
import resource, time, dask.array as da, numpy as np, xarray as xr, xinpaint
data = da.zeros((100, 2560, 2560), chunks=(1, 256, 256), dtype=np.uint16)
time_ = np.datetime64("2003-07-01", "ns") + 16 * np.arange(100) * np.timedelta64(1, "D")
ds = xr.Dataset({"red": (("time", "y", "x"), data, {"nodata": 0})}, coords={"time": time_})
begun = time.process_time()
filled = ds.inpaint.convnp(context="space", device="cpu")
lazy = filled.to_zarr("FOLDER/filled.zarr", compute=False, zarr_format=3, consolidated=False)
print(time.process_time() - begun, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.slow
def test_ten_thousand_blocks_lazily(tmp_path: Path) -> None:
    code = LAZY.replace("FOLDER", str(tmp_path))
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    seconds, kilobytes = map(float, run.stdout.split())
    # processor time, of one thread: a busy machine is no reason to fail
    print(f"lazy, 10,000 blocks: graph {seconds:.1f} s, client {kilobytes / 1e3:.0f} MB")
    assert seconds <= 30
    assert kilobytes <= 700e3
