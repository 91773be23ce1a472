"""One place to adapt to: its observed pixels, the blocks held out of them, tasks from both."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from xinpaint.core import banks, masks
from xinpaint.cube.schema import Cube
from xinpaint.errors import DataError
from xinpaint.train.cubes import Piece, cut_piece
from xinpaint.train.data import Batch, Bool, Float, random_gap

#: Most pixels along a side of a piece, pieces of a cube, dates of a piece.
SIDE, PIECES, DATES = 512, 8, 6
#: Least side of a scene; side of a patch where the scene has it.
LEAST, PATCH = 80, 96
#: Share of the blocks that is held out, and what of a block must have been seen for that.
HELD, SEEN = 1 / 6, 0.3
#: Scored tasks, over all pieces and dates.
TASKS = 8


@dataclass(frozen=True, eq=False)
class Ground:
    """Pieces of a cube, bool ``[y x]`` of each that is held out, and gaps ``[n y x]`` to lay."""

    pieces: tuple[Piece, ...]
    held: tuple[Bool, ...]
    bank: Bool
    patch: int


def read(cube: Cube, seed: int) -> Ground:
    """Pieces that do not overlap, most observed first, with a sixth of their blocks held out.

    Raises
    ------
    DataError
        Where the cube is too small or too little of it was observed.
    """
    group = cube.groups[0]
    height, width = group.layers[0].values.shape[2:]
    if min(height, width) < LEAST:
        raise DataError(
            f"found {height} x {width} pixels; wanted {LEAST} x {LEAST} or more: give a larger cube"
        )
    pieces, held = [], []
    rng = np.random.default_rng([seed, 77])
    places = [(r, c) for r in _cuts(height) for c in _cuts(width)]
    for number in rng.permutation(len(places)):
        rows, cols = places[number]
        window = (slice(None), slice(None), rows, cols)
        piece = cut_piece(group, window, f"r{rows.start}c{cols.start}", dates=DATES)
        if piece is None:
            continue
        out = _held(np.asarray(piece.valid.any(axis=1), np.bool_), rng)
        if out.any():
            pieces.append(piece)
            held.append(out)
        if len(pieces) == PIECES:
            break
    if not pieces:
        raise DataError(
            "too few observed pixels to hold some out and learn from the others: give a larger "
            "cube or more dates, and check nodata, the quality variable or observed="
        )
    side = min(256, *(n for p in pieces for n in p.valid.shape[2:])) // 8 * 8
    patch = min(PATCH, side)
    return Ground(tuple(pieces), tuple(held), _bank(pieces, side), patch)


def _cuts(size: int) -> list[slice]:
    """Parts of at most `SIDE` pixels, each a multiple of 8, that cover all but the last few."""
    count = -(-size // SIDE)
    edges = [k * (size // 8) // count * 8 for k in range(count + 1)]
    return [slice(a, b) for a, b in pairwise(edges)]


def _held(seen: Bool, rng: np.random.Generator) -> Bool:
    """Blocks ``[y x]`` held out, of those that some date ``[t y x]`` saw enough of."""
    _, height, width = seen.shape
    side = int(np.clip(min(height, width) // 5 // 8 * 8, 16, 64))
    blocks = [
        (slice(r, r + side), slice(c, c + side))
        for r in range(0, height - side + 1, side)
        for c in range(0, width - side + 1, side)
    ]
    good = [b for b in blocks if seen[:, *b].mean((1, 2)).max() >= SEEN]
    held = np.zeros((height, width), bool)
    if len(good) < 4:
        return held
    for k in rng.permutation(len(good))[: max(2, round(HELD * len(good)))]:
        held[good[k]] = True
    return held


def _bank(pieces: list[Piece], side: int) -> Bool:
    """The cube's own SLC gaps; simulated ones where it has none."""
    own = [banks.windows(~seen.all(0), side=side, stride=64) for p in pieces for seen in p.valid]
    found = np.concatenate(own)
    if len(found):
        return found
    return np.stack([masks.scan_lines((side, side), seed=k) for k in range(16)])


def batch(place: Ground, *, size: int, seed: list[int]) -> Batch:
    """Tasks of one step, on one date each, turned and flipped: nothing held out is in them.

    Parameters
    ----------
    size : int
        Band-patches.
    seed : list of int
        The same seed gives the same tasks.
    """
    rng = np.random.default_rng(seed)
    weight = np.array([p.valid.sum() for p in place.pieces], float)
    count = max(1, size // place.pieces[0].values.shape[1])
    parts = []
    for _ in range(count):
        k = int(rng.choice(len(weight), p=weight / weight.sum()))
        values, valid = _patch(place.pieces[k], place.held[k], place.patch, rng)
        gap = random_gap(place.bank, (place.patch, place.patch), rng)
        parts.append((values, valid & ~gap, valid & gap))
    return Batch(*(np.stack(p).astype(np.float32) for p in zip(*parts, strict=True)))


def _patch(piece: Piece, held: Bool, size: int, rng: np.random.Generator) -> tuple[Float, Bool]:
    """A square of one date ``[b y x]``; drawn again while little of it was seen."""
    share = piece.valid.mean((1, 2, 3))
    for _ in range(8):
        date = int(rng.choice(len(share), p=share / share.sum()))
        y, x = (int(rng.integers(n - size + 1)) for n in held.shape)
        cut = np.s_[:, y : y + size, x : x + size]
        valid = piece.valid[date][cut] & ~held[cut[1:]]
        if valid.mean() > SEEN:
            break
    values, turn = piece.values[date][cut], int(rng.integers(4))
    values, valid = np.rot90(values, turn, (1, 2)), np.rot90(valid, turn, (1, 2))
    if rng.random() < 0.5:
        values, valid = values[:, ::-1], valid[:, ::-1]
    return np.where(valid, values, 0), valid


def tasks(place: Ground, seed: int, *, dates: bool) -> list[Batch]:
    """Fixed tasks whose targets lie in the held-out blocks; everything else seen is context.

    Parameters
    ----------
    seed : int
        Of the gaps.
    dates : bool
        Tell of the piece's other dates, too.

    Raises
    ------
    DataError
        Where no gap meets an observed pixel of a held-out block.
    """
    chosen = [
        (piece, held, int(date))
        for piece, held in zip(place.pieces, place.held, strict=True)
        for date in np.argsort(-piece.valid.mean((1, 2, 3)), kind="stable")[:2]
    ][:TASKS]
    made = []
    for number in range(TASKS):
        piece, held, date = chosen[number % len(chosen)]
        gap = random_gap(place.bank, held.shape, np.random.default_rng([seed, number]))
        valid = piece.valid[date]
        if (valid & gap & held).sum() < 50:
            continue
        parts = [piece.values[date], valid & ~gap, valid & gap & held]
        rest = [k for k in range(len(piece.days)) if k != date]
        if dates and rest:
            away = piece.days[rest] - piece.days[date]
            parts += [piece.values[rest], piece.valid[rest], away]
        made.append(Batch(*(p[None].astype(np.float32) for p in parts)))
    if not made:
        raise DataError("no gap meets an observed pixel that is held out: give a larger cube")
    return made
