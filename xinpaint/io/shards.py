"""One file a block, in chunks that are read one by one: shards of Zarr 3."""

from __future__ import annotations

import math
from collections.abc import Sequence

import xarray as xr

from xinpaint.cube.masking import Dims
from xinpaint.errors import JobError
from xinpaint.io.blocks import whole_numbers

#: What `shards=` may be: no; yes; pixels of a chunk in it: a side, (y, x), (dates, y, x).
Inner = bool | int | Sequence[int] | None
#: Least side of a chunk in a shard, where the block is that large and nobody chose.
SIDE = 256


def inner_chunks(
    block: tuple[int, int, int],
    shape: tuple[int, int, int],
    own: tuple[int, int, int],
    asked: Inner,
) -> tuple[int, int, int] | None:
    """Pixels of a chunk along (time, y, x), of which a block holds whole ones.

    Parameters
    ----------
    block, shape, own : (int, int, int)
        Pixels of a block, of the cube, of a source chunk.
    asked : bool, int or sequence of int, optional
        As `shards=` of `xinpaint.io.job.fill`.

    Returns
    -------
    (int, int, int) or None
        None without shards.

    Raises
    ------
    JobError
        Where a block is no whole number of chunks.
    """
    if asked is None or asked is False:
        return None
    if asked is True:
        t, y, x = (_fitting(side, one) for side, one in zip(block, own, strict=True))
        return own[0] if block[0] % own[0] == 0 else 1, y, x
    given = whole_numbers(asked)
    if given is None:
        raise JobError(
            f"found shards of {asked!r} pixels; "
            "wanted a side, (y, x) or (dates, y, x), each a whole number of 1 or more"
        )
    t, y, x = (1, *given) if len(given) == 2 else given
    chosen = (min(t, block[0]), min(y, block[1]), min(x, block[2]))
    for axis, side, one, size in zip("tyx", block, chosen, shape, strict=True):
        # the one block of an axis may end within a chunk; but along time a cube may grow
        if side % one and (side < size or axis == "t"):
            raise JobError(
                f"shards of {asked} pixels do not fit: a block of {block} is one shard, and along "
                f"{axis} {side} is no whole number of chunks of {one}; "
                "give a divisor of it, or another block"
            )
    return chosen


def _fitting(side: int, own: int) -> int:
    """The source's chunk where a block is whole ones of it, else the block in halves, or as it is.

    A block that ends with the cube may be no multiple of anything.
    """
    if side % own == 0:
        return own
    while side % 2 == 0 and side // 2 >= SIDE:
        side //= 2
    return side


def sharded(
    block: tuple[int, int, int], inner: tuple[int, int, int], dims: Dims, variable: xr.DataArray
) -> dict[str, tuple[int, ...]]:
    """Encoding of a variable whose every block is one shard: chunks and shards.

    Parameters
    ----------
    block, inner : (int, int, int)
        Pixels of a block and of a chunk in it.
    dims : Dims
    variable : DataArray
        Of the source; dims that blocks do not have are one chunk.
    """
    names = (dims.time, dims.y, dims.x)
    sides = dict(zip(names, zip(block, inner, strict=True), strict=True))
    pairs = [sides.get(d, (n, n)) for d, n in zip(variable.dims, variable.shape, strict=True)]
    # the last block of an axis may end within a chunk: its shard is whole chunks all the same
    shards = tuple(math.ceil(side / one) * one for side, one in pairs)
    return {"chunks": tuple(one for _, one in pairs), "shards": shards}
