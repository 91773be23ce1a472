"""Raster files as lazy arrays on one common grid."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import rasterio
import xarray as xr
from dask.base import tokenize
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.transform import Affine
from rasterio.windows import Window

from xinpaint.errors import DataError, RefusedError, SchemaError
from xinpaint.io.guard import Guard

#: What a file of this ending must be: a VRT called .tif could name further files and servers.
DRIVERS = {".tif": "GTiff", ".tiff": "GTiff", ".jp2": "JP2OpenJPEG"}
#: How far two files' pixels may lie apart on what counts as one grid, in pixels.
TOLERANCE = 0.02


@dataclass(frozen=True)
class Grid:
    """Pixels of one size in one coordinate system; `transform` maps (column, row) to (x, y)."""

    crs: CRS | None
    transform: Affine
    height: int
    width: int

    def place(self, other: Grid) -> tuple[int, int] | None:
        """Row and column of the other grid's first pixel in this one; None where they differ."""
        same_size = np.allclose(
            [self.transform.a, self.transform.e],
            [other.transform.a, other.transform.e],
            rtol=TOLERANCE / max(self.height, self.width, other.height, other.width),
            atol=0,
        )
        if self.crs != other.crs or not same_size:
            return None
        column = (other.transform.c - self.transform.c) / self.transform.a
        row = (other.transform.f - self.transform.f) / self.transform.e
        if max(abs(column - round(column)), abs(row - round(row))) > TOLERANCE:
            return None
        return round(row), round(column)

    def coords(self) -> dict[str, Any]:
        """Pixel centres, and ``spatial_ref`` where the coordinate system is known."""
        x = self.transform.c + (np.arange(self.width) + 0.5) * self.transform.a
        y = self.transform.f + (np.arange(self.height) + 0.5) * self.transform.e
        made: dict[str, Any] = {
            "y": ("y", y, {"axis": "Y", "standard_name": "projection_y_coordinate"}),
            "x": ("x", x, {"axis": "X", "standard_name": "projection_x_coordinate"}),
        }
        if self.crs is None:
            return made
        import pyproj

        if self.crs.is_geographic:
            made["y"][2].update(standard_name="latitude", units="degrees_north")
            made["x"][2].update(standard_name="longitude", units="degrees_east")
        system = pyproj.CRS.from_wkt(self.crs.to_wkt())
        t = self.transform
        attrs = {
            **system.to_cf(),
            "spatial_ref": system.to_wkt(),
            "GeoTransform": f"{t.c} {t.a} {t.b} {t.f} {t.d} {t.e}",
        }
        return {**made, "spatial_ref": xr.Variable((), np.int64(0), attrs)}


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
class Placed:
    """A plane on another grid, read when sliced; beyond the file it holds `pad`."""

    plane: Plane
    row: int
    column: int
    shape: tuple[int, int]
    pad: float

    ndim = 2

    @cached_property
    def dtype(self) -> np.dtype[Any]:
        """The file's own."""
        return self.plane.dtype

    def __getitem__(self, key: tuple[slice, ...]) -> NDArray[Any]:
        (top, bottom), (left, right) = (
            part.indices(size)[:2] for part, size in zip(key, self.shape, strict=True)
        )
        made = np.full((max(bottom - top, 0), max(right - left, 0)), self.pad, self.dtype)
        grid = self.plane.grid
        rows = max(top, self.row), min(bottom, self.row + grid.height)
        columns = max(left, self.column), min(right, self.column + grid.width)
        if rows[0] < rows[1] and columns[0] < columns[1]:
            window = Window.from_slices(
                (rows[0] - self.row, rows[1] - self.row),
                (columns[0] - self.column, columns[1] - self.column),
            )
            inside = np.s_[rows[0] - top : rows[1] - top, columns[0] - left : columns[1] - left]
            made[inside] = _read(self.plane, window)
        return made


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
        if source.transform.b or source.transform.d:
            raise DataError(f"{path} is turned against its coordinate system: warp it first")
        grid = Grid(source.crs, source.transform, source.height, source.width)
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
    corners = [(0, 0, first.grid.height, first.grid.width)]
    for plane in others:
        placed = first.grid.place(plane.grid)
        if placed is None:
            raise SchemaError(
                f"{first.path.name} and {plane.path.name} are not on one grid: "
                f"{_words(first.grid)} against {_words(plane.grid)}; open them apart, or warp one "
                "of them first (rioxarray's reproject_match)"
            )
        row, column = placed
        corners.append((row, column, row + plane.grid.height, column + plane.grid.width))
    top, left = (min(corner[k] for corner in corners) for k in (0, 1))
    bottom, right = (max(corner[k] for corner in corners) for k in (2, 3))
    t = first.grid.transform
    moved = Affine(t.a, t.b, t.c + left * t.a, t.d, t.e, t.f + top * t.e)
    return Grid(first.grid.crs, moved, bottom - top, right - left)


def lay(plane: Plane, grid: Grid, *, pad: float, chunk: int) -> Any:
    """A plane as a lazy array ``[y x]`` on a grid, `pad` where the file does not reach."""
    row, column = grid.place(plane.grid) or (0, 0)
    placed = Placed(plane, row, column, (grid.height, grid.width), pad)
    name = f"scene-{tokenize(str(plane.path), plane.band, plane.stamp, placed.shape, row, column)}"
    return da.from_array(
        placed,
        chunks=(chunk, chunk),
        name=f"{name}-{pad}",
        asarray=False,
        meta=np.empty((0, 0), plane.dtype),
    )


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
    system = "no coordinate system" if grid.crs is None else str(grid.crs.to_string())[:40]
    t = grid.transform
    return f"{system}, pixels of {t.a:g} x {-t.e:g} from ({t.c:g}, {t.f:g})"


def _words_of(error: BaseException, path: Path) -> str:
    return " ".join(str(error).split()).replace(str(path), path.name)
