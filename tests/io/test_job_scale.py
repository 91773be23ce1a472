"""A million blocks cost a driver next to nothing."""

from __future__ import annotations

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


@pytest.mark.filterwarnings("ignore:Consolidated metadata")
def test_a_million_blocks(tmp_path: Path) -> None:
    blank: Any = dask.array
    data = blank.zeros((1, SIDE, SIDE), chunks=(1, SIDE, SIDE), dtype=np.uint16)
    ds = xr.Dataset(
        {"red": (("time", "y", "x"), data, {"nodata": 0})},
        coords={
            "time": [np.datetime64("2003-07-01", "ns")],
            "y": -30.0 * np.arange(SIDE),
            "x": 30.0 * np.arange(SIDE),
        },
    )
    ds["red"].encoding["chunks"] = (1, 256, 256)
    ds.to_zarr(tmp_path / "cube.zarr", compute=False, zarr_format=3)
    took = {}

    def lap(name: str) -> None:
        took[name] = time.perf_counter() - begun

    paths = str(tmp_path / "cube.zarr"), str(tmp_path / "filled.zarr")
    begun = time.perf_counter()
    job, head, filler = plan(*paths, WindowMean(5), {}, (1, 256, 256))
    lap("plan")
    assert job.counts == (1, 1000, 1000)
    begun = time.perf_counter()
    store.create(job, head, filler)
    lap("create")
    begun = time.perf_counter()
    ledger = ledgers.Ledger(job.dst)
    assert ledger.counts()["pending"] == 1_000_000
    lap("scan")
    ledger.status[:] = ledgers.DONE
    ledger.status.ravel()[::50] = ledgers.PENDING
    begun = time.perf_counter()
    ledger.flush()
    lap("flush")
    begun = time.perf_counter()
    Driver(job, ledger, Nothing(), NoBar()).run()
    took["drive a block"] = (time.perf_counter() - begun) / 20_000
    print({name: f"{1000 * seconds:.3g} ms" for name, seconds in took.items()})
    assert ledgers.Ledger(job.dst).finished
    assert took["scan"] <= 1
    assert took["flush"] <= 0.1
    assert took["drive a block"] <= 0.01
