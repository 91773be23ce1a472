"""The one block function: raw arrays in, filled arrays out; numpy only."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from xinpaint.core import masks
from xinpaint.core.task import FILLED, NOT_FILLED, READ_FAILED, Fill, Packing, Task, compose
from xinpaint.core.tiling import Halo, Tile, tiles
from xinpaint.cube.masking import observed
from xinpaint.errors import MethodError
from xinpaint.methods.base import Filler

#: How far context may be from a missing pixel that is filled, in pixels.
REACH = 64
#: Between two sides only, what is at most so wide is left alone, in pixels.
WHISKER = 4
#: Side of the tiles that a large block is worked through in, in pixels: larger ones leave the
#: processor's caches, smaller ones are mostly halo.
SIDE = 512


@dataclass(frozen=True)
class Plan:
    """What every block of a group needs to know beside its arrays; picklable.

    Parameters
    ----------
    filler : Filler
    nodata : tuple of float or None
        One entry a variable.
    observed, where, failed : tuple of int or None
        One entry a variable: which of the block's masks says what was observed, what to fill, and
        what could not be read. None at all of the last where everything could.
    packing : tuple of Packing or None
        One entry a variable: how its floats will be written. None at all where no float is packed.
    """

    filler: Filler
    nodata: tuple[float | None, ...]
    observed: tuple[int | None, ...]
    where: tuple[int | None, ...]
    failed: tuple[int | None, ...] = ()
    packing: tuple[Packing | None, ...] = ()

    @property
    def has_std(self) -> bool:
        """Whether the method says how sure it is (its optional attribute `has_std`)."""
        return bool(getattr(self.filler, "has_std", False))

    @property
    def reach(self) -> int | None:
        """How far to look for context around a gap; None where the method sees the whole plane."""
        halo = self.filler.halo
        return None if halo.y is None and halo.x is None else REACH

    @property
    def halo(self) -> Halo:
        """The method's halo, wide enough to see what surrounds a gap as well."""
        reach = self.reach
        return self.filler.halo.union(Halo(0, reach, reach))


@dataclass(frozen=True, eq=False)
class Block:
    """A padded piece of a cube.

    Parameters
    ----------
    values : sequence of arrays ``[t b y x]``
        One a variable, as the user gave them.
    masks : sequence of bool arrays ``[t b y x]``
        What `Plan.observed` and `Plan.where` point at.
    days : float64 ``[t]``
    origin : (int, int)
        ``(y, x)`` of the first padded pixel in the whole cube.
    core : three slices
        The part of ``(t, y, x)`` that is wanted.
    """

    values: Sequence[NDArray[Any]]
    masks: Sequence[NDArray[np.bool_]]
    days: NDArray[np.float64]
    origin: tuple[int, int]
    core: tuple[slice, slice, slice]


def fill_block(
    plan: Plan, block: Block, out: Sequence[MutableMapping[str, NDArray[Any]] | NDArray[np.void]]
) -> None:
    """Fill a block, tile by tile so that the float copies stay small.

    Parameters
    ----------
    plan, block : Plan, Block
    out : one mapping (or structured array) a variable
        Arrays "values", "provenance" and, where the method has one, "std", each of the core's
        shape ``[t b y x]``; written in place.
    """
    shape = tuple(part.stop - part.start for part in block.core)
    halo = plan.halo
    for tile in tiles(
        shape,
        (1, SIDE, SIDE),
        Halo(*((None if h is None else 0) for h in (halo.t, halo.y, halo.x))),
    ):
        _fill_tile(plan, block, _within(block, tile, halo), tile.write, out)


def _within(block: Block, tile: Tile, halo: Halo) -> Tile:
    """Move a tile of the core into the padded block and widen it by the halo."""
    t, _, y, x = block.values[0].shape
    core, padded = [], []
    for (a, b), part, reach, size in zip(
        tile.core, block.core, (halo.t, halo.y, halo.x), (t, y, x), strict=True
    ):
        core.append((a + part.start, b + part.start))
        wide = size if reach is None else reach
        padded.append((max(0, core[-1][0] - wide), min(size, core[-1][1] + wide)))
    return Tile(tuple(core), tuple(padded))


def _fill_tile(
    plan: Plan,
    block: Block,
    tile: Tile,
    write: tuple[slice, ...],
    out: Sequence[MutableMapping[str, NDArray[Any]] | NDArray[np.void]],
) -> None:
    lost = _lost(plan, block, tile)
    task = _task(plan, block, tile, lost)
    inner = _planes(tile.trim)
    for beyond in (slice(0, inner[0].start), slice(inner[0].stop, None)):
        task.target[beyond] = False  # dates that are only looked at
    wanted = bool(task.target[inner].any())
    fill = _answer(plan.filler, task) if wanted else None
    target_sheet = _planes(write)
    first = 0
    packing = plan.packing or (None,) * len(plan.nodata)
    for values, nodata, packed, piece in zip(block.values, plan.nodata, packing, out, strict=True):
        bands = slice(first, first + values.shape[1])
        first = bands.stop
        part = (inner[0], bands, *inner[2:])
        original = values[_planes(tile.write)]
        made = compose(original, *_cut(task, fill, part, plan.has_std), nodata=nodata)
        if nodata is not None and original.dtype.kind == "f":
            made.values[(made.provenance == NOT_FILLED) & ~np.isnan(original)] = nodata
        if packed is not None and packed.fits(values[_planes(tile.read)][task.context[:, bands]]):
            filled = made.provenance == FILLED
            made.values[filled] = packed.hold(made.values[filled])
        if lost is not None:
            made.provenance[lost[part]] = READ_FAILED
        piece["values"][target_sheet] = made.values
        piece["provenance"][target_sheet] = made.provenance
        if plan.has_std:
            piece["std"][target_sheet] = made.std


def _planes(where: tuple[slice, ...]) -> tuple[slice, ...]:
    """Slices of ``(t, y, x)`` as slices of ``(t, b, y, x)``."""
    return (where[0], slice(None), *where[1:])


def _lost(plan: Plan, block: Block, tile: Tile) -> NDArray[np.bool_] | None:
    """What of a tile could not be read, ``[t b y x]`` of all bands; None where nothing is known."""
    if all(index is None for index in plan.failed):
        return None
    read = _planes(tile.read)
    return np.concatenate(
        [
            np.zeros(values[read].shape, bool) if index is None else block.masks[index][read]
            for values, index in zip(block.values, plan.failed, strict=True)
        ],
        axis=1,
    )


def _task(plan: Plan, block: Block, tile: Tile, lost: NDArray[np.bool_] | None) -> Task:
    read = _planes(tile.read)
    pieces = [values[read] for values in block.values]
    count = sum(piece.shape[1] for piece in pieces)
    shape = (pieces[0].shape[0], count, *pieces[0].shape[2:])
    values = np.zeros(shape, np.float32)
    context, asked = np.empty(shape, bool), np.ones(shape, bool)
    first = 0
    for piece, nodata, said, where in zip(
        pieces, plan.nodata, plan.observed, plan.where, strict=True
    ):
        bands = slice(first, first + piece.shape[1])
        first = bands.stop
        seen = observed(piece, None if said is None else block.masks[said][read], nodata)
        np.copyto(values[:, bands], piece, where=seen, casting="unsafe")
        context[:, bands] = seen
        if where is not None:
            asked[:, bands] = block.masks[where][read]
    if lost is not None:
        context &= ~lost
        np.copyto(values, np.float32(0), where=lost)
    target = ~context
    if all(where is None for where in plan.where):
        target &= _in_reach(plan, context)
    else:
        target &= asked
    if lost is not None:
        target &= ~lost
    origin = (block.origin[0] + tile.padded[1][0], block.origin[1] + tile.padded[2][0])
    return Task(values, context, target, block.days[tile.read[0]], origin)


def _in_reach(plan: Plan, context: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Pixels that context surrounds; for a method that looks along time, all seen on a date."""
    if context.shape[1] > 1 and (context == context[:, :1]).all():  # as gaps of a scene mostly are
        return np.broadcast_to(_in_reach(plan, context[:, :1]), context.shape)
    reach = None if plan.reach is None else max(plan.reach - WHISKER, 0)
    near = masks.surrounded(context, plan.reach)
    near |= _shaved(context, masks.between(context, reach))
    if plan.filler.halo.t != 0:
        near |= context.any(axis=0)
    return near


def _shaved(context: NDArray[np.bool_], near: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Without the whiskers that join lone observed pixels, as between two clouds."""
    square = np.ones((1, 1, WHISKER + 1, WHISKER + 1), bool)
    whole = ndimage.binary_erosion(context | near, square, border_value=1)
    return np.asarray(near & ndimage.binary_dilation(whole, square), np.bool_)


def _answer(filler: Filler, task: Task) -> Fill:
    fill = filler.fill(task)
    if fill.std is None and getattr(filler, "has_std", False):
        raise MethodError(
            f"{type(filler).__name__} has has_std = True but returned no std; wanted one, finite "
            "wherever the mean is: return Fill(mean, std), or drop has_std"
        )
    for name, part in (("mean", fill.mean), ("std", fill.std)):
        if part is not None and part.shape != task.shape:
            raise MethodError(
                f"{type(filler).__name__} returned a {name} of shape {part.shape}; wanted "
                f"the task's shape {task.shape}"
            )
    return fill


def _cut(
    task: Task, fill: Fill | None, part: tuple[slice, ...], has_std: bool
) -> tuple[Task, Fill]:
    """Cut one variable's core out of a task and its fill; no fill = nothing known."""
    small = Task(
        task.values[part], task.context[part], task.target[part], task.days[part[0]], task.origin
    )
    blank = np.broadcast_to(np.float32(np.nan), small.shape)
    if fill is None:
        return small, Fill(blank, blank if has_std else None)
    std = fill.std[part] if has_std and fill.std is not None else None
    return small, Fill(fill.mean[part], std)


def outputs(dtype: np.dtype[Any], has_std: bool) -> Mapping[str, np.dtype[Any]]:
    """Names and dtypes of what `fill_block` writes for a variable of `dtype`."""
    parts = {"values": dtype, "provenance": np.dtype(np.uint8)}
    return {**parts, "std": np.dtype(np.float32)} if has_std else parts
