"""The dask side: overlapping blocks, filled in one pass and taken apart without another."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any, TypeAlias

import dask.array
import numpy as np
from dask.base import tokenize
from numpy.typing import NDArray

from xinpaint.core.notes import tell
from xinpaint.cube import masking
from xinpaint.cube.region import Block, Plan, fill_block, outputs
from xinpaint.cube.schema import Layer

# dask's functions carry no types: `Array` says what a value is, mypy cannot check it.
da: Any = dask.array
Array: TypeAlias = Any
#: Above so many blocks a graph is more burden than help.
MANY = 20_000

Chunks = tuple[tuple[int, ...], ...]


def observed(layer: Layer) -> Array:
    """Tell lazily which pixels of a layer were observed; bool ``[t b y x]``."""
    values, said = da.asarray(layer.values), layer.observed
    rule = partial(masking.observed, nodata=layer.nodata)
    meta = np.empty((0,) * 4, bool)
    if said is None:
        return da.map_blocks(partial(rule, said=None), values, dtype=bool, meta=meta)
    said = da.asarray(said).rechunk(values.chunks)
    return da.map_blocks(rule, values, said, dtype=bool, meta=meta)


def fill(
    plan: Plan, values: Sequence[Any], masks: Sequence[Any], days: NDArray[np.float64]
) -> list[dict[str, Array]]:
    """Fill arrays ``[t b y x]`` of one grid block by block.

    One block of the graph fills all variables at once into a structured array; its fields are
    the outputs, so whichever of them are computed together cost one pass.

    Parameters
    ----------
    plan : Plan
    values, masks : numpy or dask arrays ``[t b y x]``
    days : float64 ``[t]``

    Returns
    -------
    list of dict of dask arrays
        One dict a variable, keys "values", "provenance" and perhaps "std", in the variable's own
        chunks.
    """
    lazy = next(array for array in (*values, *masks) if not isinstance(array, np.ndarray))
    halo = (plan.halo.t, 0, plan.halo.y, plan.halo.x)
    chunks = merge(lazy.chunks, lazy.shape, halo)
    _warn_of_many(chunks)
    arrays = [_rechunk(array, chunks) for array in (*values, *masks)]
    depth = {
        axis: 0 if reach is None or len(chunks[axis]) == 1 else reach
        for axis, reach in enumerate(halo)
    }
    padded = [da.overlap.overlap(array, depth, boundary="none") for array in arrays]
    fields = [
        (f"{index}_{key}", dtype)
        for index, array in enumerate(values)
        for key, dtype in outputs(array.dtype, plan.has_std).items()
    ]
    count = len(values)
    token = tokenize(plan, days, chunks, depth, fields, *(array.name for array in arrays))
    packed = da.map_blocks(
        _block,
        *padded,
        plan=plan,
        days=days,
        count=count,
        depth=tuple(depth[axis] for axis in range(4)),
        starts=tuple(tuple(np.cumsum((0, *sizes)).tolist()) for sizes in chunks),
        fields=fields,
        dtype=np.dtype(fields),
        meta=np.empty((0,) * 4, np.dtype(fields)),
        chunks=tuple(arrays[0].chunks),
        name=f"xinpaint-fill-{token}",
    )
    made = []
    for index, array in enumerate(values):
        own = _own_chunks(array, lazy.chunks)
        parts = outputs(array.dtype, plan.has_std)
        made.append({key: _field(packed, f"{index}_{key}", own) for key in parts})
    return made


def _own_chunks(array: Any, others: Chunks) -> Chunks:
    chunks: Chunks = others if isinstance(array, np.ndarray) else array.chunks
    return (
        chunks[0],
        (array.shape[1],) if isinstance(array, np.ndarray) else chunks[1],
        *chunks[2:],
    )


def _field(packed: Array, field: str, chunks: Chunks) -> Array:
    dtype = packed.dtype[field]
    part = da.map_blocks(_take, packed, field, dtype=dtype, meta=np.empty((0,) * 4, dtype))
    return part.rechunk(chunks)


def _take(packed: NDArray[np.void], field: str) -> NDArray[Any]:
    return np.ascontiguousarray(packed[field])


def _rechunk(array: Any, chunks: Chunks) -> Array:
    """Bring a numpy or dask array to these chunks along t, y and x; all bands in one."""
    wanted = (chunks[0], (array.shape[1],), *chunks[2:])
    if isinstance(array, np.ndarray):
        return da.from_array(array, chunks=wanted)
    return array.rechunk(wanted)


def _warn_of_many(chunks: Chunks) -> None:
    count = math.prod(len(sizes) for sizes in chunks)
    if count > MANY:
        tell(
            f"{count:,} blocks make a large dask graph, slow to build and to schedule; use larger "
            "chunks, or xinpaint.fill(src, dst, ...), which needs no graph and can be resumed"
        )


def merge(chunks: Chunks, shape: tuple[int, ...], halo: tuple[int | None, ...]) -> Chunks:
    """Merge neighbouring chunks until each is at least as long as its halo."""
    merged: list[tuple[int, ...]] = []
    small: list[str] = []
    for axis, (sizes, size, reach) in enumerate(zip(chunks, shape, halo, strict=True)):
        if axis == 1 or reach is None:
            merged.append((size,))
            continue
        merged.append(_at_least(sizes, reach))
        # along time one date a chunk is the rule, and merging a few of them costs little
        if axis and any(piece < reach for piece in sizes[:-1]):
            small.append(f"{min(sizes[:-1])} along {'tbyx'[axis]} (merged to {max(merged[-1])})")
    if small:
        tell(
            f"chunks of {' and '.join(small)} are smaller than the method's halo of "
            f"{max(n or 0 for n in halo[2:])}; they are merged for computing, and the output "
            "returns to the input's chunks. Larger chunks are faster."
        )
    return tuple(merged)


def _at_least(sizes: tuple[int, ...], least: int) -> tuple[int, ...]:
    """Join neighbours until each piece is `least` long; a short rest joins the piece before."""
    pieces: list[int] = []
    open_size = 0
    for size in sizes:
        open_size += size
        if open_size >= max(least, 1):
            pieces.append(open_size)
            open_size = 0
    if open_size and pieces:
        pieces[-1] += open_size
    elif open_size:
        pieces.append(open_size)
    return tuple(pieces)


def _block(
    *arrays: NDArray[Any],
    plan: Plan,
    days: NDArray[np.float64],
    count: int,
    depth: tuple[int, ...],
    starts: tuple[tuple[int, ...], ...],
    fields: list[tuple[str, np.dtype[Any]]],
    block_id: tuple[int, ...],
) -> NDArray[np.void]:
    """Fill one padded block; a structured array ``[t b y x]`` of its core."""
    core, first = [], []
    for axis in (0, 2, 3):
        start, stop = starts[axis][block_id[axis]], starts[axis][block_id[axis] + 1]
        before = min(depth[axis], start)
        core.append(slice(before, before + stop - start))
        first.append(start - before)
    shape = (*(part.stop - part.start for part in core),)
    packed = np.empty((shape[0], arrays[0].shape[1], *shape[1:]), np.dtype(fields))
    out = [
        {name.split("_", 1)[1]: packed[name] for name, _ in fields if name.startswith(f"{index}_")}
        for index in range(count)
    ]
    seen_days = days[first[0] : first[0] + arrays[0].shape[0]]
    block = Block(
        arrays[:count], arrays[count:], seen_days, (first[1], first[2]), (core[0], core[1], core[2])
    )
    fill_block(plan, block, out)
    return packed
