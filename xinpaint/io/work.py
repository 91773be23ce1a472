"""What a worker does: one block from the source into the store, by path, and an answer."""

from __future__ import annotations

import ctypes
import errno
import math
import os
import sys
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xinpaint.core.notes import noted
from xinpaint.core.task import FILLED, NOT_FILLED, OBSERVED
from xinpaint.core.tiling import Tile
from xinpaint.cube.masking import Dims
from xinpaint.errors import DataError, JobError
from xinpaint.io import source
from xinpaint.io.chunks import damage, dims_of, erase
from xinpaint.io.commits import forked
from xinpaint.io.jobspec import Job
from xinpaint.io.ledger import COPIED, DONE, EMPTY, FAILED, check_store
from xinpaint.io.objects import unsaid
from xinpaint.io.opened import Opened, blockwise, opened_here
from xinpaint.io.target import target

Index = tuple[int, int, int]

#: Pixels (of all dates) from which on a block is worth the time that `give_back` costs.
LARGE = 2**20


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
    """What a block needs, part by part, and which part of the cube will be written.

    Anew: that is the whole block, not only dates that the store lacks.
    """

    tile: Tile
    parts: Sequence[Any]
    anew: bool


@dataclass(frozen=True, eq=False)
class Filled:
    """A block's variables, made and not yet written, and what the method noted."""

    tile: Tile
    variables: Mapping[Hashable, xr.Variable]
    anew: bool
    notes: tuple[str, ...] = ()


def run_block(job: Job, index: Index) -> Outcome:
    """Fill one block and write its chunks; never raises, so that any engine can carry it.

    Parameters
    ----------
    job : Job
    index : (int, int, int)
        Place of the block along time, y and x.
    """
    made: list[Outcome] = []
    for part in few_dates(job, read_block(job, index)):
        made.append(write_block(job, index, fill_block(job, part)))
        if made[-1].status == FAILED:
            return made[-1]
    return _together(made)


def read_block(job: Job, index: Index) -> Read | Outcome:
    """The first third of `run_block`: what the block needs; or why that failed."""
    try:
        opened = opened_here(job)
        if job.fork and job.kept:
            opened = replace(opened, store=blockwise(forked(job.fork).store, opened.dims))
        if job.kept and damage(opened.store, job.told, index, deep=True, dates=job.kept):
            job = replace(job, kept=0)  # what should be kept is gone: all of it anew
        parts = job.parts(index)
        dates = (parts[0].core[0][0], parts[-1].core[0][1])
        tile = Tile((dates, *parts[0].core[1:]), parts[0].padded)
        anew = tile.core == job.tile(index).core
        read = Read(tile, [read_here(opened, part) for part in parts], anew)
        if math.prod(part.stop - part.start for part in tile.read) >= LARGE:
            give_back()
        return read
    except Exception as error:
        return _failed(error, job)


def few_dates(job: Job, read: Read | Outcome) -> list[Read | Outcome]:
    """What was read, as few dates at a time as make whole files: little output is then held."""
    if isinstance(read, Outcome):
        return [read]
    if job.fork or not read.anew or len(read.parts) > 1:
        return [read]
    try:
        opened = opened_here(job)
        (first, last), space = read.tile.core[0], read.tile.core[1:]
        apart = opened.result.apart(read.parts[0], last - first, _dates_of_a_file(opened))
        return [
            Read(Tile(((first + a, first + b), *space), read.tile.padded), [part], anew=True)
            for a, b, part in apart
        ]
    except Exception as error:
        return [_failed(error, job)]


def _dates_of_a_file(opened: Opened) -> int:
    """Dates that are written in one go: those of a chunk, or of a shard."""
    time = str(opened.dims.time)
    timed = [array for array in opened.store.values() if time in dims_of(array)]
    sizes = ((array.shards or array.chunks)[dims_of(array).index(time)] for array in timed)
    return math.lcm(*sizes) if timed else 1


def _together(made: Sequence[Outcome]) -> Outcome:
    """Outcomes of the dates of a block, of which none failed, as one."""
    status = next(word for word in (DONE, COPIED, EMPTY) if any(o.status == word for o in made))
    notes = dict.fromkeys(note for one in made for note in one.notes)
    pixels = sum(one.pixels for one in made)
    return replace(made[-1], status=status, pixels=pixels, notes=tuple(notes))


def fill_block(job: Job, read: Read | Outcome) -> Filled | Outcome:
    """The second third, the only one that computes; what failed before passes through."""
    if isinstance(read, Outcome):
        return read
    try:
        opened = opened_here(job)
        _compute_with(job.threads)
        with noted() as heard:
            made = [opened.result.make(part) for part in read.parts]
        return Filled(read.tile, _joined(made, opened.dims.time), read.anew, tuple(heard))
    except Exception as error:
        return _failed(error, job)


def _compute_with(threads: int) -> None:
    """Let nets in this thread compute with so many; 0 = as many as they do."""
    if threads:
        import torch

        if torch.get_num_threads() != threads:
            torch.set_num_threads(threads)


def write_block(job: Job, index: Index, filled: Filled | Outcome) -> Outcome:
    """The last third: whole chunks, in one go each; what failed before passes through."""
    if isinstance(filled, Outcome):
        return filled
    try:
        opened, whole, fork = opened_here(job), job.tile(index), None
        if job.fork:
            fork = forked(job.fork)
            opened = replace(opened, store=blockwise(fork.store, opened.dims))
        check_store(job, target(job.dst, job.access))
        write(opened, filled.tile, filled.variables, anew=filled.anew)
        found = opened.result.counts(filled.variables)
        outcome = Outcome(_status(found), int(found[FILLED]), notes=filled.notes, fork=fork)
        if not filled.anew and outcome.status != DONE:  # the kept dates count too
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
    plain = isinstance(error, DataError | JobError)
    text = str(error) if plain else f"{type(error).__name__}: {error}"
    text = unsaid(text, job.access)
    return Outcome(FAILED, cause=" ".join(text.split())[:500], disk_full=full)


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


def cpus() -> int:
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
