"""Whether the chunks of a block are in a store, and read."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import Any


def dims_of(array: Any) -> tuple[str, ...]:
    """Names of the dims of a Zarr array."""
    return tuple(array.metadata.dimension_names or ())


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
        Those that are written block by block, of a store on a file system.
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
        if not _all_there(array, region):
            return "missing"
        try:
            if deep:
                array[tuple(region)]
        except Exception:  # each codec and store raises its own
            return "corrupted"
    return ""


def _all_there(array: Any, region: list[slice]) -> bool:
    folder = Path(array.store.root) / array.path
    ranges = [
        range(part.start // side, -(-part.stop // side))
        for part, side in zip(region, array.chunks, strict=True)
    ]
    keys = (array.metadata.encode_chunk_key(chunk) for chunk in product(*ranges))
    return all((folder / key).is_file() for key in keys)
