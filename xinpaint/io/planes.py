"""Raster files as lazy arrays on one common grid."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from dask.base import tokenize
from numpy.typing import NDArray
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.windows import Window

from xinpaint.core.notes import tell
from xinpaint.errors import DataError, RefusedError, SchemaError
from xinpaint.io.grid import Grid, frame_of_file
from xinpaint.io.guard import Guard
from xinpaint.io.mosaic import Pair, pieces, split

#: What a file of this ending must be: a VRT called .tif could name further files and servers.
DRIVERS = {".tif": "GTiff", ".tiff": "GTiff", ".jp2": "JP2OpenJPEG"}


@dataclass(frozen=True)
class Plane:
    """One band of one raster file."""

    path: Path
    band: int
    grid: Grid
    dtype: np.dtype[Any]
    nodata: float | None
    said: tuple[float, float] | None
    description: str
    stamp: tuple[int, int]


@dataclass(frozen=True)
class Canvas:
    """What planes are laid on: a grid, the side of a chunk, and whether a bad file stops it."""

    grid: Grid
    chunk: int
    keep_going: bool = False


def inspect(path: Path) -> list[Plane]:
    """Look at a raster file without reading a pixel.

    Raises
    ------
    DataError
        Where it is missing, no GeoTIFF or JPEG 2000, turned against its coordinate system, or would
        take too much memory to read.
    """
    source = _open(path)
    with source:
        try:
            Guard().check_file(source)
        except RefusedError as error:
            raise RefusedError(f"{path}: {error}") from error
        grid = frame_of_file(source).grid
        if grid is None:
            raise DataError(f"{path} is turned against its coordinate system: warp it first")
        stat = path.stat()
        scales = zip(source.scales, source.offsets, strict=True)
        return [
            Plane(
                path,
                index + 1,
                grid,
                np.dtype(source.dtypes[index]),
                source.nodatavals[index],
                None if scale == (1.0, 0.0) else scale,
                source.descriptions[index] or "",
                (stat.st_mtime_ns, stat.st_size),
            )
            for index, scale in enumerate(scales)
        ]


def common_grid(planes: Iterable[Plane]) -> Grid:
    """The smallest grid that holds all planes.

    Raises
    ------
    SchemaError
        Where coordinate systems, pixel sizes or pixel borders differ; names two files.
    """
    first, *others = planes
    corners = [(0, 0, *first.grid.shape)]
    for plane in others:
        placed = first.grid.place(plane.grid)
        if placed is None:
            raise SchemaError(
                f"{first.path.name} and {plane.path.name} are not on one grid: "
                f"{_words(first.grid)} against {_words(plane.grid)}; open them apart, or warp one "
                "of them first (rioxarray's reproject_match)"
            )
        row, column = placed
        rows, columns = plane.grid.shape
        corners.append((row, column, row + rows, column + columns))
    top, left = (min(corner[k] for corner in corners) for k in (0, 1))
    bottom, right = (max(corner[k] for corner in corners) for k in (2, 3))
    return first.grid.part(slice(top, bottom), slice(left, right))


def lay(plane: Plane, canvas: Canvas, *, pad: float) -> tuple[Any, Any]:
    """A plane as a lazy array ``[y x]``, and another of what of it could not be read.

    The first holds `pad` where the file does not reach, and where it could not be read.
    """
    spot = canvas.grid.place(plane.grid) or (0, 0)
    rows, cols = (pieces(size, canvas.chunk) for size in canvas.grid.shape)
    job = partial(_piece, plane, spot, pad, canvas.keep_going)
    name = f"scene-{tokenize(str(plane.path), plane.band, plane.stamp, canvas, spot, pad)}"
    tasks: dict[Any, Any] = {
        (name, i, j): (job, down, right)
        for i, down in enumerate(rows)
        for j, right in enumerate(cols)
    }
    chunks = tuple(tuple(s.stop - s.start for s in axis) for axis in (rows, cols))
    return split(name, tasks, chunks, plane.dtype)


def _piece(
    plane: Plane, spot: tuple[int, int], pad: float, keep_going: bool, down: slice, right: slice
) -> Pair:
    made = np.full((down.stop - down.start, right.stop - right.start), pad, plane.dtype)
    starts, sizes = (down.start, right.start), made.shape
    first = [max(a, b) for a, b in zip(starts, spot, strict=True)]
    last = [
        min(a + n, b + m) for a, n, b, m in zip(starts, sizes, spot, plane.grid.shape, strict=True)
    ]
    if first[0] >= last[0] or first[1] >= last[1]:
        return made, None
    own = [(a - b, z - b) for a, z, b in zip(first, last, spot, strict=True)]
    inside = tuple(slice(a - b, z - b) for a, z, b in zip(first, last, starts, strict=True))
    try:
        made[inside] = _read(plane, Window.from_slices(*own))
    except DataError as error:
        if not keep_going:
            raise
        tell(str(error))
        failed = np.zeros(made.shape, bool)
        failed[inside] = True
        return made, failed
    return made, None


def _open(path: Path) -> Any:
    try:
        with warnings.catch_warnings():  # a chip without a place on Earth can be filled as well
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            return rasterio.open(path, driver=DRIVERS[path.suffix.lower()])
    except (RasterioError, OSError) as error:
        raise DataError(
            f"{path} does not open as GeoTIFF or JPEG 2000: {_words_of(error, path)}"
        ) from error


def _read(plane: Plane, window: Window) -> NDArray[Any]:
    with _open(plane.path) as source:
        try:
            read: NDArray[Any] = source.read(plane.band, window=window)
        except (RasterioError, OSError) as error:
            cause = error.__cause__ or error
            raise DataError(
                f"{plane.path}, band {plane.band}, cannot be read at row {window.row_off}, column "
                f"{window.col_off}: {_words_of(cause, plane.path)}; it is cut short or damaged: "
                "fetch it again"
            ) from error
    return read


def _words(grid: Grid) -> str:
    width, height = grid.step
    system = grid.crs[:40] or "no coordinate system"
    return f"{system}, pixels of {width:g} x {height:g} from ({grid.left:g}, {grid.top:g})"


def _words_of(error: BaseException, path: Path) -> str:
    return " ".join(str(error).split()).replace(str(path), path.name)
