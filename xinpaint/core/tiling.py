"""Halos and tiles: how far a method looks, what is read for what is written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product


@dataclass(frozen=True)
class Halo:
    """How far a method looks beyond a tile, in dates and pixels; None = the whole axis.

    Parameters
    ----------
    t : int or None
        Dates before and after.
    y, x : int or None
        Pixels on each side.

    Examples
    --------
    >>> Halo(0, 64, 64).union(Halo(2, 8, None))
    Halo(t=2, y=64, x=None)
    """

    t: int | None = 0
    y: int | None = 0
    x: int | None = 0

    def union(self, other: Halo) -> Halo:
        """The smallest halo that covers both."""

        def wider(a: int | None, b: int | None) -> int | None:
            return None if a is None or b is None else max(a, b)

        return Halo(wider(self.t, other.t), wider(self.y, other.y), wider(self.x, other.x))


@dataclass(frozen=True)
class Tile:
    """One piece of an array along ``(t, y, x)``.

    Parameters
    ----------
    core : tuple of (start, stop)
        What is written, in indices of the whole array.
    padded : tuple of (start, stop)
        What is read: the core widened by the halo, cut at the array's edge.
    """

    core: tuple[tuple[int, int], ...]
    padded: tuple[tuple[int, int], ...]

    @property
    def write(self) -> tuple[slice, ...]:
        """Slices of the core in the whole array."""
        return tuple(slice(a, b) for a, b in self.core)

    @property
    def read(self) -> tuple[slice, ...]:
        """Slices of the padded piece in the whole array."""
        return tuple(slice(a, b) for a, b in self.padded)

    @property
    def trim(self) -> tuple[slice, ...]:
        """Slices that cut the core out of the padded piece."""
        return tuple(
            slice(c[0] - p[0], c[1] - p[0]) for c, p in zip(self.core, self.padded, strict=True)
        )


def tiles(shape: tuple[int, ...], block: tuple[int, ...], halo: Halo) -> Iterator[Tile]:
    """Cut ``(t, y, x)`` of `shape` into tiles of at most `block`, each widened by `halo`.

    Every pixel is in exactly one core; a halo of None reads (and computes) the whole axis.

    Examples
    --------
    >>> [tile.padded[1] for tile in tiles((1, 5, 2), (1, 3, 2), Halo(0, 1, 1))]
    [(0, 4), (2, 5)]
    """
    reaches = (halo.t, halo.y, halo.x)
    axes = []
    for size, step, reach in zip(shape, block, reaches, strict=True):
        stride = max(1, size if reach is None else step)
        pieces = [(a, min(a + stride, size)) for a in range(0, size, stride)]
        axes.append([(p, _widen(p, reach, size)) for p in pieces])
    for corner in product(*axes):
        yield Tile(tuple(c for c, _ in corner), tuple(p for _, p in corner))


def tile_at(
    shape: tuple[int, ...], block: tuple[int, ...], halo: Halo, index: tuple[int, ...]
) -> Tile:
    """One tile of a regular grid, by its place along ``(t, y, x)``; the others are not made.

    Examples
    --------
    >>> tile_at((1, 5, 2), (1, 3, 2), Halo(0, 1, 1), (0, 1, 0)).padded
    ((0, 1), (2, 5), (0, 2))
    """
    core = tuple(
        (place * step, min(place * step + step, size))
        for size, step, place in zip(shape, block, index, strict=True)
    )
    return widened(Tile(core, core), shape, halo)


def widened(tile: Tile, shape: tuple[int, ...], halo: Halo) -> Tile:
    """The same core in an array of `shape`, padded by `halo`."""
    reaches = (halo.t, halo.y, halo.x)
    padded = (_widen(*axis) for axis in zip(tile.core, reaches, shape, strict=True))
    return Tile(tile.core, tuple(padded))


def _widen(piece: tuple[int, int], reach: int | None, size: int) -> tuple[int, int]:
    if reach is None:
        return (0, size)
    return (max(0, piece[0] - reach), min(size, piece[1] + reach))
