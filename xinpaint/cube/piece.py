"""One piece of a cube at a time, for whoever cannot hold the graph of all of it."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr
from dask.base import compute
from dask.local import get_sync
from numpy.typing import NDArray

from xinpaint.core.tiling import Halo, Tile
from xinpaint.cube import schema
from xinpaint.cube.inpaint import as_variable, fill_arrays, planned
from xinpaint.cube.masking import Dims
from xinpaint.cube.region import Block, Plan
from xinpaint.cube.schema import Group
from xinpaint.errors import DataError
from xinpaint.methods.base import Filler

#: The scheduler "synchronous". By its name dask looks for a cluster first, and a process that has
#: none would load all of distributed (30 MB) for that.
ALONE = get_sync


@dataclass(frozen=True, eq=False)
class Piece:
    """A piece of the variables of one group, read: NumPy arrays, so that it may travel.

    Parameters
    ----------
    dims : Dims
    names : tuple of str
        The variables.
    orders : tuple of tuple of str
        The dims of each, in its own order.
    plan, block : Plan, Block
        What the block function takes.
    """

    dims: Dims
    names: tuple[Hashable, ...]
    orders: tuple[tuple[Hashable, ...], ...]
    plan: Plan
    block: Block


def reach(filler: Filler) -> Halo:
    """How far around a piece to read: the method's halo, and what surrounds a gap."""
    return Plan(filler, (), (), ()).halo


def read_pieces(
    part: xr.Dataset, filler: Filler, *, days: Sequence[NDArray[np.float64]], tile: Tile
) -> list[Piece]:
    """Read a part of a cube, one piece a group of variables.

    Parameters
    ----------
    part : Dataset
        The part ``tile.read`` of the cube, dask-backed; each variable is read once.
    filler : Filler
        Suited to the whole cube.
    days : sequence of float64 ``[t]``
        Days of each group of the *whole* cube, in the order of `xinpaint.cube.schema.read`.
    tile : Tile
        Along (time, y, x) of the whole cube.

    Returns
    -------
    list of Piece
        Variables without a time dim come with the first dates only.

    Raises
    ------
    DataError
        Where the source cannot be read; names the variable.
    """
    cube = schema.read(part)
    made = []
    for group, all_days in zip(cube.groups, days, strict=True):
        times, inner = tile.read[0], tile.trim
        if group.dims.time is None:
            if tile.core[0][0] > 0:
                continue
            times = slice(0, 1)
            inner = (slice(0, 1), *inner[1:])
        plan, masks = planned(group, filler)
        values, masks = _load(group, masks)
        origin = (tile.padded[1][0], tile.padded[2][0])
        block = Block(values, masks, all_days[times], origin, (inner[0], inner[1], inner[2]))
        names = tuple(layer.name for layer in group.layers)
        orders = tuple(cube.dataset[name].dims for name in names)
        made.append(Piece(group.dims, names, orders, plan, block))
    return made


def of_dates(pieces: Sequence[Piece], begin: int, end: int) -> list[Piece]:
    """What was read, for some dates of the core only; what has no time goes with the first.

    Parameters
    ----------
    pieces : sequence of Piece
    begin, end : int
        Dates, counted from the first of the core.
    """
    made = []
    for piece in pieces:
        times, y, x = piece.block.core
        if piece.dims.time is not None:
            few = slice(times.start + begin, times.start + end)
            made.append(replace(piece, block=replace(piece.block, core=(few, y, x))))
        elif begin == 0:
            made.append(piece)
    return made


def fill_pieces(pieces: Sequence[Piece], filler: Filler) -> dict[Hashable, xr.Variable]:
    """Fill what was read, with the same answer as `xinpaint.cube.inpaint.inpaint` of the cube.

    Returns
    -------
    dict of str to Variable
        ``<band>``, ``<band>_provenance`` and, where the method has one, ``<band>_std`` of the
        tile's core; no attrs.
    """
    made: dict[Hashable, xr.Variable] = {}
    for piece in pieces:
        answers = fill_arrays(replace(piece.plan, filler=filler), piece.block)
        for name, order, arrays in zip(piece.names, piece.orders, answers, strict=True):
            for key, data in arrays.items():
                full = name if key == "values" else f"{name}_{key}"
                made[full] = as_variable(piece.dims, order, data)
    return made


def _load(group: Group, masks: list[Any]) -> tuple[list[Any], list[Any]]:
    """Compute values and masks together, so that a shared quality band is read once."""
    values = [layer.values for layer in group.layers]
    try:
        loaded = compute(*values, *masks, scheduler=ALONE)
    except Exception as error:
        bad = [layer.name for layer in group.layers if not _readable(layer.values)]
        what = ", ".join(repr(name) for name in bad) or "the quality variable"
        raise DataError(f"cannot read {what}: {type(error).__name__}: {error}") from error
    return list(loaded[: len(values)]), list(loaded[len(values) :])


def _readable(array: Any) -> bool:
    try:
        compute(array, scheduler=ALONE)
    except Exception:  # whatever it was, the first reading has told
        return False
    return True
