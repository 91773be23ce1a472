"""A cube of gappy dates as training data: its blocks as images or stacks, its gaps as masks.

What is missing in the cube is never a target: tasks hide observed pixels, under its own gaps.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from xinpaint.cube import masking, schema
from xinpaint.errors import DataError, RecipeError
from xinpaint.train import data
from xinpaint.train import stacks as stacked
from xinpaint.train.data import Bool, Float, Image, normalised
from xinpaint.train.recipe import PATCH
from xinpaint.train.stacks import Stack

#: Side of a block and of a mask in pixels; small cubes are cut into smaller blocks.
SIDE = 256
#: Every so many blocks one is held out, and its name ends so: validation never saw its ground.
EVERY, HELD = 5, "_held"
#: Dates that a block keeps, those most of which was seen; and memory for all blocks, in bytes.
DATES, MEMORY = 16, 4e9
#: Share of a date that must be seen to be a target, and to be of any use.
TARGET, USEFUL = 0.5, 0.2


@dataclass(frozen=True, eq=False)
class Piece:
    """A block of a cube: `values` (stretched a date) and `valid` ``[t b y x]``, `days` ``[t]``."""

    name: str
    values: Float
    valid: Bool
    days: np.ndarray


def is_cube(path: Path) -> bool:
    """Whether a path is a Zarr store."""
    return any((path / name).is_file() for name in ("zarr.json", ".zgroup"))


def read_images(folder: Path, globs: tuple[str, ...]) -> list[Image]:
    """`xinpaint.train.data.read_images`, and the blocks of Zarr cubes among the matches."""
    files, stores = _apart(folder, globs)
    return [*data.read_images(folder, files), *(i for store in stores for i in images(store))]


def read_stacks(
    folder: Path, globs: tuple[str, ...], context_only: tuple[str, ...] = ()
) -> list[Stack]:
    """`xinpaint.train.stacks.read_stacks`, and the blocks of Zarr cubes among the matches."""
    files, stores = _apart(folder, globs)
    made = [stack for store in stores for stack in stacks(store)]
    return [*stacked.read_stacks(folder, files, context_only), *made]


def read_masks(folder: Path, globs: tuple[str, ...]) -> Bool:
    """`xinpaint.train.data.read_masks`, and the gaps of Zarr cubes among the matches."""
    files, stores = _apart(folder, globs)
    banks = [masks(store) for store in stores]
    if files or not stores:
        banks.append(data.read_masks(folder, files))
    return np.concatenate(banks)


def _apart(folder: Path, globs: tuple[str, ...]) -> tuple[tuple[str, ...], list[Path]]:
    """Patterns that match no cube, and the cubes that the others match."""
    found = {pattern: [p for p in sorted(folder.glob(pattern)) if is_cube(p)] for pattern in globs}
    files = tuple(pattern for pattern, stores in found.items() if not stores)
    return files, [store for stores in found.values() for store in stores]


def images(path: Path) -> list[Image]:
    """Every date of every block that was seen for the most part."""
    return [
        Image(f"{piece.name}_{k}", piece.values[k], piece.valid[k])
        for piece in pieces(path)
        for k in np.flatnonzero(piece.valid.mean((1, 2, 3)) >= TARGET)
    ]


def stacks(path: Path) -> list[Stack]:
    """Every block with two dates or more; those seen for the most part may be the target."""
    made = []
    for piece in pieces(path):
        share = piece.valid.mean((1, 2, 3))
        if len(share) > 1 and (share >= TARGET).any():
            made.append(Stack(piece.name, piece.values, piece.valid, piece.days, share >= TARGET))
    return made


def masks(path: Path) -> Bool:
    """The cube's own gaps, bool ``[n 256 256]``; those of held-out blocks are left out.

    Raises
    ------
    DataError
        Where no block has gaps of 3 to 60 %.
    """
    made = []
    for piece in pieces(path, least=0.0):
        gap = np.asarray(~piece.valid.all(axis=1), np.bool_)
        share = gap.mean((1, 2))
        if piece.name.endswith(HELD):
            continue
        edge = [(0, SIDE - n) for n in gap.shape[1:]]
        made += [np.pad(g, edge, "symmetric") for g in gap[(share > 0.03) & (share < 0.6)]]
    if not made:
        raise DataError(f"{path} has no gaps to learn from; give masks of another place")
    return np.stack(made)


def pieces(path: Path, least: float = USEFUL) -> Iterator[Piece]:
    """Blocks of a cube that do not overlap, one after the other.

    Raises
    ------
    DataError
        Where the path is no Zarr store.
    SchemaError
        Where it is no cube.
    """
    try:
        opened = xr.open_zarr(path, decode_coords="all", chunks={})
    except (OSError, ValueError, KeyError) as error:
        raise DataError(f"{path} does not open as Zarr: {error}") from error
    group = schema.read(opened).groups[0]
    height, width = group.layers[0].values.shape[2:]
    side = side_of(height, width)
    if side == 0:
        raise DataError(f"{path} is {height} x {width} pixels; give 16 x 16 or more")
    places = [(r, c) for r in range(height // side) for c in range(width // side)]
    bands = sum(layer.values.shape[1] for layer in group.layers)
    most = max(2 * EVERY, int(MEMORY / (DATES * bands * side**2 * 5)))
    chosen = np.random.default_rng(0).permutation(len(places))[:most]
    for number, index in enumerate(sorted(chosen)):
        r, c = places[index]
        window = np.s_[:, :, r * side : (r + 1) * side, c * side : (c + 1) * side]
        held = HELD if number % EVERY == min(2, len(chosen) - 1) else ""
        made = cut_piece(group, window, f"{path.stem}_r{r:03d}c{c:03d}{held}", least=least)
        if made is not None:
            yield made


def side_of(height: int, width: int) -> int:
    """Side of the blocks that a cube of so many pixels is cut into."""
    return SIDE if min(height, width) >= 2 * SIDE else min(height, width) // 16 * 8


def check_patch(cube: xr.Dataset, patch: int) -> None:
    """Raise RecipeError where the blocks of a cube are smaller than a training patch."""
    height, width = schema.read(cube).groups[0].layers[0].values.shape[2:]
    side = side_of(height, width)
    if side >= patch:
        return
    needs = f"{2 * patch} x {2 * patch}" if patch <= SIDE else f"{patch} a side in a block"
    would = f"patch={side} would do"
    if side < PATCH:
        would = f"patch={PATCH} and a cube of {2 * PATCH} x {2 * PATCH} or more would do"
    raise RecipeError(
        f"the cube has {height} x {width} pixels, patch = {patch} needs {needs}: a cube is cut "
        f"into blocks of half its shorter side, {SIDE} at most, some of which are held out; {would}"
    )


def cut_piece(
    group: schema.Group, window: Any, name: str, *, least: float = USEFUL, dates: int = DATES
) -> Piece | None:
    """Read a window ``[t b y x]`` of a cube: the dates most of which was seen, in their order.

    Parameters
    ----------
    least : float
        Share of a date that must have been seen.
    dates : int
        How many at most.

    Returns
    -------
    Piece or None
        None where no date was seen enough.
    """
    raw, seen = [], []
    for layer in group.layers:
        values = np.asarray(layer.values[window])
        said = None if layer.observed is None else np.asarray(layer.observed[window])
        seen.append(masking.observed(values, said, layer.nodata))
        raw.append(np.where(seen[-1], values, 0).astype(np.float32))
    valid = np.concatenate(seen, axis=1)
    share = valid.mean((1, 2, 3))
    best = np.sort(np.argsort(-share, kind="stable")[:dates])
    best = best[(share[best] >= least) & (share[best] > 0)]
    if len(best) == 0:
        return None
    values = np.concatenate(raw, axis=1)[best]
    made = np.stack([normalised(v, s) for v, s in zip(values, valid[best], strict=True)])
    return Piece(name, made, valid[best], group.days[best])
