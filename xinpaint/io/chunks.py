"""Whether the chunks of a block are in a store, and read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import zarr
from zarr.core.sync import sync

#: Encoding of an array: its "chunks", and "shards" where it has them.
Chunks = Mapping[str, Sequence[int]]


def dims_of(array: Any) -> tuple[str, ...]:
    """Names of the dims of a Zarr array."""
    return tuple(array.metadata.dimension_names or ())


def chunks_in(array: Any) -> dict[str, list[int]]:
    """How a Zarr array is cut into files; a job keeps it, because its source may be cut anew."""
    said = {"chunks": array.chunks, "shards": array.shards}
    return {key: list(sides) for key, sides in said.items() if sides}


def damage(
    arrays: Mapping[str, Any],
    told: Mapping[str, Any],
    index: tuple[int, ...],
    *,
    deep: bool,
    dates: int | None = None,
) -> str:
    """Look for what is wrong with a block: "missing", "corrupted" or nothing.

    Parameters
    ----------
    arrays : mapping of str to zarr.Array
        Those that are written block by block.
    told : mapping
        What the job says of itself.
    index : (int, int, int)
        Place of the block along time, y and x.
    deep : bool
        Read the chunks; each carries a checksum.
    dates : int, optional
        Look only at dates before this one.
    """
    parts = dict(zip(told["dims"], zip(index, told["block"], strict=True), strict=True))
    time = told["dims"][0]
    for array in arrays.values():
        names = dims_of(array)
        if time not in names and index[0] > 0:
            continue
        region = []
        for dim, size in zip(names, array.shape, strict=True):
            place, side = parts.get(dim, (0, size))
            most = size if dates is None or dim != time else min(size, dates)
            region.append(slice(place * side, min(place * side + side, most)))
        if not all_there(array, region):
            return "missing"
        try:
            if deep:
                array[tuple(region)]
        except Exception:  # each codec and store raises its own
            return "corrupted"
    return ""


def erase(array: Any, region: Sequence[slice]) -> None:
    """Remove the files of a region, so that what is damaged need not be read to be written over."""
    for key in _keys(array, region):
        sync(array.store.delete(key))


def erase_all(store: Any, name: str) -> None:
    """Remove all chunks of an array."""
    array: Any = zarr.open_array(store, path=name, mode="r+")
    sync(array.store.delete_dir(f"{name}/c"))


def all_there(array: Any, region: Sequence[slice]) -> bool:
    """Whether a store holds each chunk of a region."""
    folder = getattr(array.store, "root", None)
    if folder is not None:
        return all((Path(folder) / key).is_file() for key in _keys(array, region))
    return all(sync(array.store.exists(key)) for key in _keys(array, region))


def _keys(array: Any, region: Sequence[slice]) -> Iterator[str]:
    """Names of the chunks, or shards, that hold a region."""
    ranges = [
        range(part.start // side, -(-part.stop // side))
        for part, side in zip(region, array.shards or array.chunks, strict=True)
    ]
    for chunk in product(*ranges):
        yield f"{array.path}/{array.metadata.encode_chunk_key(chunk)}"
