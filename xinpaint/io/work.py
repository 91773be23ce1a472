"""What a worker does: one block from the source into the store, by path, and an answer."""

from __future__ import annotations

import ctypes
import errno
import math
import sys
import threading
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr
import zarr
from numpy.typing import NDArray

from xinpaint.core.notes import noted
from xinpaint.core.task import FILLED, NOT_FILLED, OBSERVED
from xinpaint.core.tiling import Tile
from xinpaint.cube import schema
from xinpaint.cube.masking import Dims
from xinpaint.errors import DataError
from xinpaint.io import source
from xinpaint.io.chunks import damage, dims_of, erase
from xinpaint.io.commits import forked
from xinpaint.io.jobspec import Job
from xinpaint.io.ledger import COPIED, DONE, EMPTY, FAILED
from xinpaint.io.objects import unsaid
from xinpaint.io.result import Result
from xinpaint.io.target import target

Index = tuple[int, int, int]

#: Pixels (of all dates) from which on a block is worth the time that `give_back` costs.
LARGE = 2**20

_LOCK = threading.Lock()
_OPEN: dict[tuple[str, str], Opened] = {}


@dataclass(frozen=True)
class Outcome:
    """What became of a block: status, filled pixels (a band counts each), why it failed, notes.

    `fork` is what was written apart, for the driver to commit.
    """

    status: int
    pixels: int = 0
    cause: str = ""
    disk_full: bool = False
    notes: tuple[str, ...] = ()
    fork: Any = None


@dataclass(frozen=True, eq=False)
class Read:
    """What a block needs, part by part, and which part of the cube will be written."""

    tile: Tile
    parts: Sequence[Any]


@dataclass(frozen=True, eq=False)
class Filled:
    """A block's variables, made and not yet written, and what the method noted."""

    tile: Tile
    variables: Mapping[Hashable, xr.Variable]
    notes: tuple[str, ...] = ()


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


def run_block(job: Job, index: Index) -> Outcome:
    """Fill one block and write its chunks; never raises, so that any engine can carry it.

    Parameters
    ----------
    job : Job
    index : (int, int, int)
        Place of the block along time, y and x.
    """
    return write_block(job, index, fill_block(job, read_block(job, index)))


def read_block(job: Job, index: Index) -> Read | Outcome:
    """The first third of `run_block`: what the block needs; or why that failed."""
    try:
        opened = opened_here(job)
        if job.fork and job.kept:
            opened = replace(opened, store=_blockwise(forked(job.fork).store, opened.dims))
        if job.kept and damage(opened.store, job.told, index, deep=True, dates=job.kept):
            job = replace(job, kept=0)  # what should be kept is gone: all of it anew
        parts = job.parts(index)
        dates = (parts[0].core[0][0], parts[-1].core[0][1])
        tile = Tile((dates, *parts[0].core[1:]), parts[0].padded)
        read = Read(tile, [read_here(opened, part) for part in parts])
        if math.prod(part.stop - part.start for part in tile.read) >= LARGE:
            give_back()
        return read
    except Exception as error:
        return _failed(error, job)


def fill_block(job: Job, read: Read | Outcome) -> Filled | Outcome:
    """The second third, the only one that computes; what failed before passes through."""
    if isinstance(read, Outcome):
        return read
    try:
        opened = opened_here(job)
        with noted() as heard:
            made = [opened.result.make(part) for part in read.parts]
        return Filled(read.tile, _joined(made, opened.dims.time), tuple(heard))
    except Exception as error:
        return _failed(error, job)


def write_block(job: Job, index: Index, filled: Filled | Outcome) -> Outcome:
    """The last third: whole chunks, in one go each; what failed before passes through."""
    if isinstance(filled, Outcome):
        return filled
    try:
        opened, whole, fork = opened_here(job), job.tile(index), None
        if job.fork:
            fork = forked(job.fork)
            opened = replace(opened, store=_blockwise(fork.store, opened.dims))
        anew = filled.tile.core == whole.core
        write(opened, filled.tile, filled.variables, anew=anew)
        found = opened.result.counts(filled.variables)
        outcome = Outcome(_status(found), int(found[FILLED]), notes=filled.notes, fork=fork)
        if not anew and outcome.status != DONE:  # the kept dates count too
            return replace(outcome, status=_status(_stored(opened, whole)))
        return outcome
    except Exception as error:
        return _failed(error, job)


def give_back() -> None:
    """Give the system back what reading took: malloc keeps it in pieces that fit nothing larger."""
    if sys.platform == "linux":  # where the C library is another than glibc there is no such call
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)


def _failed(error: Exception, job: Job) -> Outcome:
    full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
    text = str(error) if isinstance(error, DataError) else f"{type(error).__name__}: {error}"
    text = unsaid(text, job.access)
    return Outcome(FAILED, cause=" ".join(text.split())[:500], disk_full=full)


def opened_here(job: Job, *, store: bool = True) -> Opened:
    """Source and store, opened once a process and job; without a store for a trial."""
    key = (job.dst if store else "", job.id)
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
        group = _blockwise(target(job.dst, job.access).zarr(write=True), dims)
    large = raw.reset_coords()[source.gridded(raw, cube)]
    return Opened(raw, large, cube, job.result(cube), dims, group)


def _blockwise(store: Any, dims: Dims) -> dict[str, Any]:
    """The arrays that are written block by block."""
    found = zarr.open_group(store, mode="r+", use_consolidated=False)
    spatial = {str(dims.y), str(dims.x)}
    blockwise = {name: a for name, a in found.arrays() if spatial <= set(dims_of(a))}
    # not by zarr.config, which is not kept apart between threads
    return {name: a.with_config({"write_empty_chunks": True}) for name, a in blockwise.items()}


def read_here(opened: Opened, tile: Tile) -> Any:
    """What a tile needs, read from the source."""
    spots = _spots(opened.dims, tile.read)
    part = opened.raw.isel(spots, missing_dims="ignore").chunk()
    return opened.result.read(part, opened.days, tile)


def _joined(
    made: Sequence[Mapping[Hashable, xr.Variable]], time: Hashable | None
) -> Mapping[Hashable, xr.Variable]:
    """Parts of a block, one after the other in time, as one."""
    if len(made) == 1:
        return made[0]

    def along(name: Hashable) -> xr.Variable:
        if time not in made[0][name].dims:
            return made[0][name]
        joined: xr.Variable = xr.Variable.concat([part[name] for part in made], dim=time)
        return joined

    return {name: along(name) for name in made[0]}


def write(opened: Opened, tile: Tile, made: Mapping[Hashable, xr.Variable], *, anew: bool) -> None:
    """Write whole chunks: what was made, and what passes through.

    Anew: nothing that is there is kept, so that a damaged shard is not read.
    """
    spots = _spots(opened.dims, tile.write)
    if anew:
        for array in opened.store.values():
            names = dims_of(array)
            if array.shards and (str(opened.dims.time) in names or tile.core[0][0] == 0):
                by_name = {str(dim): part for dim, part in spots.items()}
                sizes = zip(names, array.shape, strict=True)
                erase(array, [by_name.get(dim, slice(0, size)) for dim, size in sizes])
    if not opened.result.same_dates:
        spots.pop(opened.dims.time, None)
    for name, variable in made.items():
        _put(opened, name, variable, spots)
    for name in opened.large.data_vars:
        dims = opened.large[name].dims
        passes = str(name) in opened.store and name not in made
        if not passes or (opened.dims.time not in dims and tile.core[0][0] > 0):
            continue
        part = opened.raw.variables[name].isel(spots, missing_dims="ignore")
        try:
            values = part.values
        except Exception as error:
            told = f"{type(error).__name__}: {error}"
            raise DataError(f"cannot read {name!r}: {told}") from error
        _put(opened, name, xr.Variable(dims, values), spots)


def _put(
    opened: Opened, name: Hashable, variable: xr.Variable, spots: Mapping[Hashable, slice]
) -> None:
    """Pack values as xarray would, and write them where they belong."""
    known = opened.cube.dataset.variables
    packing = source.packing(known[name]) if name in known else {}
    plain = xr.Variable(variable.dims, variable.values, encoding=packing)
    packed = xr.conventions.encode_cf_variable(plain, name=name)
    region = tuple(spots.get(dim, slice(None)) for dim in variable.dims)
    opened.store[str(name)][region] = packed.values


def _spots(dims: Dims, where: tuple[slice, ...]) -> dict[Hashable, slice]:
    pairs = zip((dims.time, dims.y, dims.x), where, strict=True)
    return {dim: part for dim, part in pairs if dim is not None}


def _stored(opened: Opened, tile: Tile) -> NDArray[np.int64]:
    """How often each provenance code is in the store, over all bands of a tile."""
    found, spots = np.zeros(256, np.int64), _spots(opened.dims, tile.write)
    for layer in (layer for group in opened.cube.groups for layer in group.layers):
        dims = opened.raw[layer.name].dims
        region = tuple(spots.get(dim, slice(None)) for dim in dims)
        values = np.asarray(opened.store[f"{layer.name}_provenance"][region])
        found += np.bincount(values.ravel(), minlength=256)
    return found


def _status(found: NDArray[np.int64]) -> int:
    if found[FILLED] or found[NOT_FILLED]:
        return DONE
    return COPIED if found[OBSERVED] else EMPTY
