"""Source and store as a worker keeps them open between blocks."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
import zarr
from numpy.typing import NDArray

from xinpaint.cube import schema
from xinpaint.cube.masking import Dims
from xinpaint.io import source
from xinpaint.io.chunks import dims_of
from xinpaint.io.jobspec import Job
from xinpaint.io.result import Result
from xinpaint.io.target import target

_LOCK = threading.Lock()
_OPEN: dict[tuple[str, bool], Opened] = {}


@dataclass(frozen=True, eq=False)
class Opened:
    """Source and store as a process keeps them between blocks."""

    raw: xr.Dataset
    large: xr.Dataset
    cube: schema.Cube
    result: Result
    dims: Dims
    store: Any

    @property
    def days(self) -> list[NDArray[np.float64]]:
        """Days of each group of the whole cube."""
        return [group.days for group in self.cube.groups]


def opened_here(job: Job, *, store: bool = True) -> Opened:
    """Source and store, opened once a process and run; without a store for a trial."""
    key = (job.run, store)
    with _LOCK:
        if key not in _OPEN:
            while len(_OPEN) > 3:
                _OPEN.pop(next(iter(_OPEN)))
            _OPEN[key] = _open(job, store)
        return _OPEN[key]


def _open(job: Job, store: bool) -> Opened:
    raw = source.open_source(job.src, job.access)
    cube = schema.read(source.header(raw))
    dims = max((group.dims for group in cube.groups), key=lambda d: d.time is not None)
    group: Any = None
    if store and not job.fork:
        group = blockwise(target(job.dst, job.access).zarr(write=True), dims)
    large = raw.reset_coords()[source.gridded(raw, cube)]
    return Opened(raw, large, cube, job.result(cube), dims, group)


def blockwise(store: Any, dims: Dims) -> dict[str, Any]:
    """The arrays that are written block by block."""
    found = zarr.open_group(store, mode="r+", use_consolidated=False)
    spatial = {str(dims.y), str(dims.x)}
    gridded = {name: a for name, a in found.arrays() if spatial <= set(dims_of(a))}
    # not by zarr.config, which is not kept apart between threads
    return {name: a.with_config({"write_empty_chunks": True}) for name, a in gridded.items()}
