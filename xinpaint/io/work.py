"""What a worker does: one block from the source into the store, by path, and an answer."""

from __future__ import annotations

import errno
import threading
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
import zarr
from numpy.typing import NDArray

from xinpaint.core.task import FILLED, NOT_FILLED, OBSERVED
from xinpaint.core.tiling import Tile
from xinpaint.cube import schema
from xinpaint.cube.masking import Dims
from xinpaint.cube.piece import fill_piece
from xinpaint.errors import DataError
from xinpaint.io import source
from xinpaint.io.jobspec import Job
from xinpaint.io.store import COPIED, DONE, EMPTY, FAILED
from xinpaint.methods.base import Filler

Index = tuple[int, int, int]

_LOCK = threading.Lock()
_OPEN: dict[tuple[str, str], Opened] = {}


@dataclass(frozen=True)
class Outcome:
    """What became of a block: status code, filled pixels (a band counts each), why it failed."""

    status: int
    pixels: int = 0
    cause: str = ""
    disk_full: bool = False


@dataclass(frozen=True, eq=False)
class Opened:
    """Source and store as a process keeps them between blocks."""

    raw: xr.Dataset
    large: xr.Dataset
    cube: schema.Cube
    filler: Filler
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
    try:
        opened, tile = opened_here(job), job.tile(index)
        made = fill_here(opened, tile)
        write(opened, tile, made)
        return _judge(made)
    except Exception as error:
        full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
        text = str(error) if isinstance(error, DataError) else f"{type(error).__name__}: {error}"
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
    raw = source.open_source(job.src)
    cube = schema.read(source.header(raw))
    dims = max((group.dims for group in cube.groups), key=lambda d: d.time is not None)
    group: Any = None
    if store:
        with zarr.config.set({"array.write_empty_chunks": True}):
            found = zarr.open_group(job.dst, mode="r+", use_consolidated=False)
            group = dict(found.arrays())
    large = raw.reset_coords()[source.gridded(raw, cube)]
    return Opened(raw, large, cube, job.filler(cube), dims, group)


def fill_here(opened: Opened, tile: Tile) -> dict[Hashable, xr.Variable]:
    """The filled bands of a tile, without writing them."""
    spots = _spots(opened.dims, tile.read)
    piece = opened.raw.isel(spots, missing_dims="ignore").chunk()
    return fill_piece(piece, opened.filler, days=opened.days, tile=tile)


def write(opened: Opened, tile: Tile, made: Mapping[Hashable, xr.Variable]) -> None:
    """Write whole chunks: the filled bands, and what passes through."""
    spots = _spots(opened.dims, tile.write)
    for name, variable in made.items():
        _put(opened, name, variable, spots)
    for name in opened.large.data_vars:
        dims = opened.large[name].dims
        if name in made or (opened.dims.time not in dims and tile.core[0][0] > 0):
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
    packing = source.packing(opened.raw.variables[name]) if name in opened.raw.variables else {}
    plain = xr.Variable(variable.dims, variable.values, encoding=packing)
    packed = xr.conventions.encode_cf_variable(plain, name=name)
    region = tuple(spots.get(dim, slice(None)) for dim in variable.dims)
    opened.store[str(name)][region] = packed.values


def _spots(dims: Dims, where: tuple[slice, ...]) -> dict[Hashable, slice]:
    pairs = zip((dims.time, dims.y, dims.x), where, strict=True)
    return {dim: part for dim, part in pairs if dim is not None}


def _judge(made: Mapping[Hashable, xr.Variable]) -> Outcome:
    found = np.zeros(256, np.int64)
    for name, variable in made.items():
        if str(name).endswith("_provenance"):
            found += np.bincount(variable.values.ravel(), minlength=256)
    if found[FILLED] or found[NOT_FILLED]:
        return Outcome(DONE, int(found[FILLED]))
    return Outcome(COPIED if found[OBSERVED] else EMPTY)
