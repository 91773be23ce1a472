"""Where blocks run on a cluster: workers of a dask client, with or without devices."""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from typing import Any
from weakref import WeakSet

from xinpaint.errors import JobError
from xinpaint.io.jobspec import Job
from xinpaint.io.work import Index, Outcome, cpus, fill_block, read_block, run_block, write_block

#: Seconds that blocks which a cluster has begun get to end, when their driver stops.
PATIENCE = 10.0
#: Seconds between two looks at how many workers a cluster has.
LOOK = 5.0


class Cluster:
    """Workers of a dask client."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._futures: WeakSet[Any] = WeakSet()
        self._room, self._looked = 4, float("-inf")

    @property
    def window(self) -> int:
        """See `Engine`; workers come and go."""
        if time.monotonic() - self._looked > LOOK:
            with suppress(OSError):  # of a scheduler that is away for a moment
                self._room = max(4, self._count())
            self._looked = time.monotonic()
        return self._room

    def _count(self) -> int:
        return int(2 * sum(self._client.nthreads().values()))

    def submit(self, job: Job, index: Index) -> Any:
        """See `Engine`."""
        future = self._client.submit(_at_work, job, index, pure=False)
        self._futures.add(future)
        return future

    def close(self) -> None:
        """See `Engine`; what a worker has begun it cannot stop: it gets some time to end."""
        left = [future for future in self._futures if not future.done()]
        if not left:
            return
        from distributed import wait

        with suppress(Exception):  # the time is up, or the cluster gone
            begun = {key for keys in self._client.processing().values() for key in keys}
            self._client.cancel([future for future in left if future.key not in begun])
            wait([future for future in left if future.key in begun], timeout=PATIENCE)
        with suppress(Exception):
            self._client.cancel(left)


class Devices(Cluster):
    """Workers of a dask client, of which some declare ``GPU``: these compute, all read and write.

    A block is three tasks; only the middle one asks for the resource, so that a device does not
    wait for files. Several blocks are under way, so that its next input is there when it is free.
    """

    def _count(self) -> int:
        return int(3 * gpus(self._client))

    def submit(self, job: Job, index: Index) -> Any:
        """See `Engine`."""
        send = self._client.submit
        read = send(read_block, job, index, pure=False)
        filled = send(_at_work_on, job, read, pure=False, resources={"GPU": 1})
        written = send(write_block, job, index, filled, pure=False)
        self._futures.add(written)
        return written


def gpus(client: Any) -> float:
    """How many GPUs the workers of a dask client declare, as the resource ``GPU``."""
    try:
        told = client.scheduler_info(n_workers=-1)
    except TypeError:  # before distributed knew the argument it told of all workers
        told = client.scheduler_info()
    return float(sum(w.get("resources", {}).get("GPU", 0) for w in told["workers"].values()))


def _at_work(job: Job, index: Index) -> Outcome:
    _share_processors(job.threads)
    return run_block(job, index)


def _at_work_on(job: Job, read: Any) -> Any:
    _share_processors(job.threads)
    return fill_block(job, read)


def _share_processors(threads: int) -> None:
    """Let the net of a dask worker use as many processors as the worker has threads.

    One net at a time computes in a process, and dask starts workers with one thread a library.
    """
    from distributed import get_worker

    if "torch" in sys.modules and not threads:
        import torch

        wanted = min(get_worker().state.nthreads, cpus())
        if torch.get_num_threads() != wanted:
            torch.set_num_threads(wanted)


def connect(address: str) -> Any:
    """A dask client of a running scheduler.

    Raises
    ------
    JobError
        Where it does not answer, or distributed is not installed.
    """
    try:
        from distributed import Client
    except ImportError as error:
        raise JobError("a scheduler needs dask's distributed: pip install distributed") from error
    try:
        client: Any = Client
        return client(address)
    except (OSError, ValueError) as error:
        raise JobError(f"no dask scheduler answers at {address}: {error}") from error
