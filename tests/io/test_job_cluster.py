"""Workers that declare a GPU compute, all workers read and write; a CPU stands in for it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import xinpaint
from tests.cube.fillers import WindowMean
from tests.io.cubes import Breaks, chunks, source
from xinpaint.core.notes import note
from xinpaint.core.task import Fill, Task
from xinpaint.io import cluster as clusters
from xinpaint.io import engine
from xinpaint.io.verify import status

distributed = pytest.importorskip("distributed")
pytestmark = pytest.mark.filterwarnings("ignore")  # whatever a local cluster says of ports
BLOCK = (1, 72, 72)  # 8 blocks


@dataclass(frozen=True)
class OnDevice(WindowMean):
    """Takes a device, and writes down which worker computes; notes something of one corner."""

    log: str = ""
    device: str = "auto"

    def fill(self, task: Task) -> Fill:
        with Path(self.log).open("a") as file:
            file.write(f"{distributed.get_worker().address}\n")
        if task.origin == (0, 0):
            note("looked twice")
        return super().fill(task)


@dataclass(frozen=True)
class BreaksThere(Breaks):
    """Takes a device, and raises in one corner."""

    device: str = "auto"


@pytest.fixture(scope="module")
def src(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("cluster") / "cube.zarr"
    source(path, t=2, y=100, x=100)
    return path


@pytest.fixture
def client() -> Iterator[Any]:
    """Three workers of two threads, one of which declares GPU=1."""

    async def declare(dask_worker: Any) -> None:
        await dask_worker.set_resources(GPU=1)

    given = {"n_workers": 3, "threads_per_worker": 2, "processes": False}
    with (
        distributed.LocalCluster(**given, dashboard_address=None) as cluster,
        distributed.Client(cluster) as client,
    ):
        client.run(declare, workers=[min(client.nthreads())])
        yield client


def test_only_the_worker_with_the_device_computes(src: Path, tmp_path: Path, client: Any) -> None:
    assert clusters.gpus(client) == 1
    log = tmp_path / "log"
    filler = OnDevice(5, log=str(log))
    dst = tmp_path / "filled.zarr"
    report = xinpaint.fill(src, dst, filler, block=BLOCK, client=client, progress=False)
    assert report.complete, report
    assert report.notes == {"0/0/0": "looked twice", "1/0/0": "looked twice"}
    assert status(dst).notes == dict(report.notes)
    where = log.read_text().split()
    assert len(where) >= 8
    assert set(where) == {min(client.nthreads())}
    worked = client.run(lambda dask_worker: dask_worker.state.executed_count)
    assert sum(worked.values()) == 3 * 8
    assert sum(n for place, n in worked.items() if place not in where) > 0
    xinpaint.fill(src, tmp_path / "plain.zarr", WindowMean(5), block=BLOCK, progress=False)
    assert chunks(dst) == chunks(tmp_path / "plain.zarr")


def test_what_fails_in_any_third_is_named(src: Path, tmp_path: Path, client: Any) -> None:
    flag = tmp_path / "flag"
    flag.touch()

    report = xinpaint.fill(
        *(src, tmp_path / "filled.zarr", BreaksThere(5, flag=str(flag))),
        block=BLOCK,
        client=client,
        progress=False,
    )
    assert dict(report.failures) == {
        f"{date}/1/0": "RuntimeError: this block does not go" for date in (0, 1)
    }


def test_a_method_without_a_device_goes_anywhere(src: Path, tmp_path: Path, client: Any) -> None:
    report = xinpaint.fill(
        src, tmp_path / "f.zarr", WindowMean(5), block=BLOCK, client=client, progress=False
    )
    assert report.complete
    worked = client.run(lambda dask_worker: dask_worker.state.executed_count)
    assert sum(worked.values()) == 8


def test_processors_are_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "cpus", lambda: 8)
    monkeypatch.setattr(engine.multiprocessing, "parent_process", lambda: None)
    for asked, found in (("", "4"), ("16", "4"), ("2", "2")):
        for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
            monkeypatch.setenv(name, asked)
        engine.begin(engine.cpus() // 2)
        assert os.environ["OMP_NUM_THREADS"] == os.environ["MKL_NUM_THREADS"] == found


def test_workers_that_come_later_get_blocks_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clusters, "LOOK", 0.0)
    given = {"n_workers": 0, "threads_per_worker": 2, "processes": False}
    with (
        distributed.LocalCluster(**given, dashboard_address=None) as cluster,
        distributed.Client(cluster) as client,
    ):
        with pytest.warns(UserWarning, match=r"has no workers: .*cluster\.scale"):
            engine.check_where(client, None)
        works = clusters.Cluster(client)
        assert works.window == 4
        cluster.scale(3)
        client.wait_for_workers(3, timeout=30)
        assert works.window == 12


def test_workers_compute_with_their_own_threads_however_small_the_driver() -> None:
    big = SimpleNamespace(nthreads=lambda: {"a": 512, "b": 256})
    assert engine.net_threads(big, None) == 256
    assert engine.net_threads(SimpleNamespace(nthreads=dict), None) >= 1
