"""Where blocks run: threads here, processes here, or a dask cluster; one future a block."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import threading
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from numbers import Integral
from typing import Any, Protocol

import zarr

from xinpaint.core.notes import tell
from xinpaint.errors import JobError
from xinpaint.io.cluster import Cluster, Devices, gpus
from xinpaint.io.jobspec import Job
from xinpaint.io.result import SEASONALITY
from xinpaint.io.weights import NEURAL
from xinpaint.io.work import Index, Outcome, cpus, run_block


class Engine(Protocol):
    """Runs blocks; `window` of them are under way at once."""

    @property
    def window(self) -> int:
        """How many blocks to have under way."""
        ...

    def submit(self, job: Job, index: Index) -> Any:
        """Start a block; a future of its Outcome."""
        ...

    def close(self) -> None:
        """Let go of the workers; blocks that have not begun are dropped."""
        ...


def engine(client: Any, workers: int | None, job: Job, blocks: int) -> Engine:
    """The engine for what the user has: a dask client, a number of processes, or nothing.

    On a cluster where workers declare the resource ``GPU``, a method that takes a device computes
    on those alone.

    """
    if client is not None:
        nets = {*NEURAL, SEASONALITY}
        takes_device = job.method in nets or hasattr(job.method, "device")
        return Devices(client) if takes_device and gpus(client) else Cluster(client)
    if workers is None:
        return Threads(min(cpus(), max(blocks, 1)))
    return Processes(workers)


def check_where(client: Any, workers: Any, method: Any = None) -> None:
    """Refuse what no engine can be made of, before anything is written.

    Raises
    ------
    JobError
        Where `workers` is no number of processes, `client` no cluster that answers, or a filler
        of one's own cannot be sent there.
    """
    if client is not None or workers is not None:
        try:
            send: Any = pickle
            if client is not None:
                from distributed.protocol import pickle as send
            send.dumps(method)
        except Exception as error:  # each type raises its own
            raise JobError(
                f"{method!r} cannot be sent to another process ({error}): make it an instance of "
                "a class at the top of a module whose attributes can be pickled, or leave workers "
                "and client out"
            ) from error
    if workers is not None and (
        isinstance(workers, bool) or not isinstance(workers, Integral) or workers < 1
    ):
        raise JobError(f"workers={workers!r}: give a whole number of processes, at least 1")
    here = multiprocessing.current_process()
    if workers is not None and getattr(here, "_inheriting", False):
        raise JobError(
            f"workers={workers}: each of them runs the script anew, up to here; put what it does "
            'under if __name__ == "__main__":'
        )
    if workers is not None and here.daemon:
        raise JobError(f"workers={workers}: a daemonic process has none; leave workers out")
    if client is None:
        return
    if not (hasattr(client, "submit") and hasattr(client, "nthreads")):
        raise JobError(
            f"client={client!r}: wanted a distributed.Client; of an address it is made by "
            "distributed.Client(address)"
        )
    if getattr(client, "status", "running") not in ("running", "connecting"):
        raise JobError(f"client={client!r} is {client.status}: give one that is connected")
    if not client.nthreads():
        tell(
            f"{client!r} has no workers: nothing begins before one is there; an adaptive cluster "
            "starts them by itself, else cluster.scale(n) does"
        )


def net_threads(client: Any, workers: int | None) -> int:
    """How many threads a net has in each of the places where blocks run."""
    if client is not None:
        return int(min(client.nthreads().values(), default=cpus()))
    if workers is None:
        import torch

        return torch.get_num_threads()
    asked, share = os.environ.get("OMP_NUM_THREADS", ""), max(1, cpus() // max(1, int(workers)))
    return min(share, int(asked)) if asked.isdigit() else share


class Threads:
    """Threads of this process: one net, its inference one block at a time, reading beside it."""

    def __init__(self, count: int) -> None:
        self._pool = ThreadPoolExecutor(count, thread_name_prefix="xinpaint")
        self.window = 2 * count

    def submit(self, job: Job, index: Index) -> Future[Outcome]:
        """See `Engine`."""
        return self._pool.submit(run_block, job, index)

    def close(self) -> None:
        """See `Engine`."""
        self._pool.shutdown(cancel_futures=True)


class Processes:
    """Processes of this machine; a pool that a dying worker broke is made anew."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._pool = self._made()
        self.window = 2 * count

    def _made(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(
            self._count,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=begin,
            initargs=(max(1, cpus() // self._count),),
        )

    def submit(self, job: Job, index: Index) -> Future[Outcome]:
        """See `Engine`."""
        try:
            return self._pool.submit(run_block, job, index)
        except BrokenExecutor:
            self._pool.shutdown(wait=False)
            self._pool = self._made()
            return self._pool.submit(run_block, job, index)

    def close(self) -> None:
        """See `Engine`."""
        self._pool.shutdown(cancel_futures=True)


def begin(threads: int) -> None:
    """Start a worker process: its share of the processors, and no life after its driver."""
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        asked = os.environ.get(name, "")
        os.environ[name] = str(min(threads, int(asked)) if asked.isdigit() else threads)
    # each thread that decodes chunks keeps megabytes for itself
    allowed = zarr.config.get("threading.max_workers", None)
    zarr.config.set({"threading.max_workers": min(threads, allowed or threads)})
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_follow, args=(parent,), daemon=True).start()


def _follow(parent: Any) -> None:
    parent.join()
    os._exit(1)
