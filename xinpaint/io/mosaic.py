"""Files to lazy arrays: one task a band, date and block, and beside the values what failed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, partial
from importlib import import_module
from typing import Any

import dask.array
import numpy as np
from dask.base import tokenize
from dask.highlevelgraph import HighLevelGraph
from numpy.typing import NDArray

from xinpaint.core.notes import tell
from xinpaint.errors import DataError, RefusedError
from xinpaint.io.grid import Grid
from xinpaint.io.items import Source
from xinpaint.io.options import ENGINES
from xinpaint.io.reading import Access, OnReadError, read
from xinpaint.io.reflectance import reflect
from xinpaint.io.warp import onto

da: Any = dask.array


@dataclass(frozen=True)
class Band:
    """One band of a cube: what every block of it needs to know.

    Parameters
    ----------
    name : str
    stored, dtype : str
        dtype in the files, and in the cube.
    nodata : float
        In the files.
    scaled : bool
        Whether scale and offset are applied; the cube's nodata is NaN then.
    """

    name: str
    stored: str
    dtype: str
    nodata: float
    scaled: bool

    @property
    def empty(self) -> float:
        """What says "nothing" in the cube."""
        return float("nan") if self.scaled else self.nodata


@dataclass(frozen=True, eq=False)
class Sheet:
    """What one task reads: the sources of one date that touch a block."""

    sources: tuple[Source, ...]
    grid: Grid


def lazily(
    band: Band,
    groups: Sequence[Sequence[Source]],
    grid: Grid,
    *,
    chunk: int,
    engine: str,
    access: Access,
    on_read_error: OnReadError,
) -> tuple[Any, Any]:
    """Make the lazy array of a band, and of what could not be read.

    Parameters
    ----------
    band : Band
    groups : sequence of sequences of Source
        One a date; the first source with a value wins.
    grid : Grid
    chunk : int
        Pixels a side.
    engine : str
        Of `xinpaint.io.options.ENGINES`.
    access : Access
    on_read_error : {"raise", "mark", "skip_date"}

    Returns
    -------
    (dask array ``[t y x]`` of `band.dtype`, dask array of bool)
        One date a chunk.
    """
    rows, cols = (pieces(size, chunk) for size in grid.shape)
    job = partial(
        read_block, band=band, engine=engine, access=access, keep_going=on_read_error != "raise"
    )
    token = tokenize(band, [[s.asset for s in g] for g in groups], grid, chunk, engine)
    name = f"xinpaint-read-{band.name}-{token}"
    # made by hand: sources differ from task to task and each carries only its own; a block is read
    # once, and values and failures are taken out of the pair without a copy
    read_tasks: dict[Any, Any] = {}
    for i, down in enumerate(rows):
        for j, right in enumerate(cols):
            part = grid.part(down, right)
            for date, sources in enumerate(groups):
                near = tuple(s for s in sources if s.covers(part.bounds, grid.crs))
                read_tasks[(name, date, i, j)] = (job, Sheet(near, part))
    sides = (tuple(s.stop - s.start for s in axis) for axis in (rows, cols))
    return split(name, read_tasks, ((1,) * len(groups), *sides), band.dtype)


def split(name: str, tasks: dict[Any, Any], chunks: Any, dtype: Any) -> tuple[Any, Any]:
    """Make two lazy arrays of tasks that give values and, beside them, what of these failed.

    Parameters
    ----------
    name : str
        Of the tasks; their keys begin with it and go on with the block's place.
    tasks : dict
        Key -> task, which returns a `Pair`.
    chunks, dtype
        Of the values; the other array is bool.
    """
    made = []
    for take, kind in ((_values, np.dtype(dtype)), (_failed, np.dtype(np.bool_))):
        own = f"{name}-{take.__name__.strip('_')}"
        parts: dict[Any, Any] = {(own, *key[1:]): (take, key, len(chunks)) for key in tasks}
        graph = HighLevelGraph({name: tasks, own: parts}, {name: set(), own: {name}})
        made.append(da.Array(graph, own, chunks=chunks, meta=np.empty((0,) * len(chunks), kind)))
    return made[0], made[1]


def pieces(size: int, chunk: int) -> list[slice]:
    """Cut an axis into chunks."""
    return [slice(a, min(a + chunk, size)) for a in range(0, size, chunk)]


Pair = tuple[NDArray[Any], NDArray[np.bool_] | None]


def _values(pair: Pair, dims: int) -> NDArray[Any]:
    return pair[0][(None,) * (dims - 2)]


def _failed(pair: Pair, dims: int) -> NDArray[np.bool_]:
    values, failed = pair
    return (np.zeros(values.shape, bool) if failed is None else failed)[(None,) * (dims - 2)]


def read_block(sheet: Sheet, *, band: Band, engine: str, access: Access, keep_going: bool) -> Pair:
    """Read one block of one date: values ``[y x]``, and what failed (None where nothing did).

    Raises
    ------
    DataError
        A source that cannot be read, unless `keep_going`: then what no other source of the date
        holds is marked, with a warning that says the same.
    RefusedError
        A source that the guard does not let through, in any case.
    """
    reader = import_module(ENGINES[engine]).read
    values: NDArray[Any] | None = None
    lost = False
    for source in sheet.sources:
        use = partial(
            onto,
            sheet.grid,
            engine=reader,
            band=source.band,
            dtype=np.dtype(band.stored),
            nodata=band.nodata,
        )
        try:
            raw = read(source.asset, access, use)
        except RefusedError:
            raise
        except DataError as error:
            if not keep_going:
                raise
            tell(str(error))
            lost = True
            continue
        found = unpacked(raw, band, source)
        if values is None:
            values = found
        else:
            np.copyto(values, found, where=_nothing(values, band))
    if values is None:
        values = np.full(sheet.grid.shape, band.empty, band.dtype)
    return values, _nothing(values, band) if lost else None


def _nothing(values: NDArray[Any], band: Band) -> NDArray[np.bool_]:
    if np.isnan(band.empty):
        return np.asarray(np.isnan(values), np.bool_)
    return np.asarray(values == values.dtype.type(band.empty), np.bool_)


def unpacked(raw: NDArray[Any], band: Band, source: Source) -> NDArray[Any]:
    """Numbers of a file in the cube's unit: float32, NaN for nodata; or untouched."""
    if not band.scaled:
        return raw
    scale, offset = source.packing.scale, source.packing.offset
    assert scale is not None
    if raw.dtype.kind in "iu" and raw.dtype.itemsize <= 2:
        table = _table(raw.dtype.str, band.nodata, scale, offset)
        out = np.empty(raw.shape, np.float32)
        for some in pieces(len(raw), 16):  # few rows at once, as NumPy widens the indices
            index = raw[some].view(f"u{raw.dtype.itemsize}")
            np.take(table, index, out=out[some], mode="clip")
        return out
    return reflect(raw, (scale, offset), band.nodata)


@cache
def _table(dtype: str, nodata: float, scale: float, offset: float) -> NDArray[np.float32]:
    """Every value of a short integer, unpacked."""
    kind = np.dtype(dtype)
    stored = np.arange(2 ** (8 * kind.itemsize), dtype=f"u{kind.itemsize}").view(kind)
    return reflect(stored, (scale, offset), nodata)
