"""The grid of a cube: worked out once, from the files' own, so that every engine reads the same."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xinpaint.errors import DataError

Bounds = tuple[float, float, float, float]
#: How far two files' pixels may lie apart on what counts as one grid, in pixels.
TOLERANCE = 0.02
#: Of the Earth, mean, in metres.
RADIUS = 6_371_008.8


@dataclass(frozen=True)
class Grid:
    """Pixels on the ground.

    Parameters
    ----------
    crs : str
        Such as ``EPSG:32636``, or WKT; empty where it is not known.
    left, top : float
        Outer corner of the first pixel, in the CRS's unit.
    step : (float, float)
        Width and height of a pixel; the height is negative where rows run up.
    shape : (int, int)
        Rows, columns.
    """

    crs: str
    left: float
    top: float
    step: tuple[float, float]
    shape: tuple[int, int]

    @property
    def transform(self) -> tuple[float, float, float, float, float, float]:
        """Affine coefficients a to f."""
        return (self.step[0], 0.0, self.left, 0.0, -self.step[1], self.top)

    @property
    def bounds(self) -> Bounds:
        """Left, bottom, right, top."""
        rows, cols = self.shape
        return (
            self.left,
            self.top - rows * self.step[1],
            self.left + cols * self.step[0],
            self.top,
        )

    @property
    def height(self) -> float:
        """Of a pixel, in metres; the CRS's unit is taken for one where there is no CRS."""
        import pyproj

        if not self.crs:
            return abs(self.step[1])
        system = pyproj.CRS.from_user_input(self.crs)
        unit = float(system.axis_info[0].unit_conversion_factor)  # metres, or radians
        return abs(self.step[1]) * unit * (RADIUS if system.is_geographic else 1.0)

    def place(self, other: Grid) -> tuple[int, int] | None:
        """Row and column of another grid's first pixel in this one; None where pixels differ."""
        longest = max(*self.shape, *other.shape)
        same_size = np.allclose(self.step, other.step, rtol=TOLERANCE / longest, atol=0)
        if not same_size or not same_crs(self.crs, other.crs):
            return None
        column = (other.left - self.left) / self.step[0]
        row = (self.top - other.top) / self.step[1]
        if max(abs(column - round(column)), abs(row - round(row))) > TOLERANCE:
            return None
        return round(row), round(column)

    def part(self, rows: slice, cols: slice) -> Grid:
        """Cut a block out; slices have a start and a stop."""
        return Grid(
            self.crs,
            self.left + cols.start * self.step[0],
            self.top - rows.start * self.step[1],
            self.step,
            (rows.stop - rows.start, cols.stop - cols.start),
        )

    def halves(self, axis: int) -> tuple[Grid, Grid]:
        """Cut in two across the rows (0) or the columns (1)."""
        whole = [slice(0, size) for size in self.shape]
        parts = []
        for start, stop in ((0, self.shape[axis] // 2), (self.shape[axis] // 2, self.shape[axis])):
            whole[axis] = slice(start, stop)
            parts.append(self.part(*whole))
        return parts[0], parts[1]

    def centres(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Pixel centres: y and x, float64, in the CRS's unit."""
        rows, cols = self.shape
        y = self.top - (np.arange(rows) + 0.5) * self.step[1]
        x = self.left + (np.arange(cols) + 0.5) * self.step[0]
        return y.astype(np.float64), x.astype(np.float64)


@dataclass(frozen=True)
class Frame:
    """Where one file lies, as its item says: CRS, affine coefficients a to f, shape (y, x)."""

    crs: str
    transform: tuple[float, ...]
    shape: tuple[int, int]

    @property
    def bounds(self) -> Bounds:
        """Left, bottom, right, top in the file's own CRS."""
        a, b, c, d, e, f = self.transform[:6]
        rows, cols = self.shape
        xs = [c, c + a * cols, c + b * rows, c + a * cols + b * rows]
        ys = [f, f + d * cols, f + e * rows, f + d * cols + e * rows]
        return min(xs), min(ys), max(xs), max(ys)

    @property
    def grid(self) -> Grid | None:
        """Its pixels as a grid; None where it is turned against its coordinate system."""
        a, b, c, d, e, f = self.transform[:6]
        return Grid(self.crs, c, f, (a, -e), self.shape) if b == d == 0 else None


@lru_cache(maxsize=1000)
def crs_name(crs: str) -> str:
    """``EPSG:n`` where a CRS has such a number, its WKT otherwise; "" for none."""
    from rasterio.crs import CRS

    if not crs:
        return ""
    system = CRS.from_user_input(crs)
    number = system.to_epsg()
    return f"EPSG:{number}" if number else str(system.to_wkt())


@lru_cache(maxsize=1000)
def same_crs(one: str, other: str) -> bool:
    """Whether two names or WKTs mean one coordinate system."""
    from rasterio.crs import CRS

    if one == other or not (one and other):
        return one == other
    return bool(CRS.from_user_input(one) == CRS.from_user_input(other))


def frame_of_file(image: Any) -> Frame:
    """Where an opened rasterio dataset says that it lies."""
    crs = crs_name(image.crs.to_wkt()) if image.crs else ""
    return Frame(crs, tuple(image.transform)[:6], image.shape)


def frame_of(asset: dict[str, Any], properties: dict[str, Any]) -> Frame | None:
    """Read the projection extension of an asset, or of its item; None where it is not whole."""

    def said(key: str) -> Any:
        return asset.get(key, properties.get(key))

    code, epsg = said("proj:code"), said("proj:epsg")
    crs = code or (f"EPSG:{epsg}" if epsg else said("proj:wkt2"))
    shape, transform = said("proj:shape"), said("proj:transform")
    if not crs or not shape or not transform:
        return None
    try:
        rows, cols = (int(n) for n in shape)
        numbers = tuple(float(n) for n in transform[:6])
    except (TypeError, ValueError) as error:
        raise DataError(
            f"found proj:shape={shape!r} and proj:transform={transform!r}; wanted two integers and "
            "six numbers"
        ) from error
    return Frame(str(crs), numbers, (rows, cols))


@lru_cache(maxsize=100_000)
def reproject(bounds: Bounds, source: str, target: str) -> Bounds:
    """Bounds (left, bottom, right, top) in another CRS, edges densified."""
    from rasterio.warp import transform_bounds

    if source == target:
        return bounds
    left, bottom, right, top = transform_bounds(source, target, *bounds, densify_pts=21)
    return left, bottom, right, top


def grid_of(
    frames: Sequence[Frame],
    *,
    bbox: Sequence[float] | None,
    crs: str | None,
    resolution: float | None,
) -> Grid:
    """Work out the grid of a cube.

    The pixel edges are those of the finest file in the cube's CRS; a grid of another CRS or
    resolution starts from whole multiples of its pixel.

    Parameters
    ----------
    frames : sequence of Frame
        One a file.
    bbox : four floats, optional
        West, south, east, north in degrees; the files' union where not given.
    crs : str, optional
        Needed where the files are in several.
    resolution : float, optional
        In the CRS's unit.

    Raises
    ------
    DataError
        Several CRSs and none chosen; rotated files without `resolution`.
    """
    found = sorted({frame.crs for frame in frames})
    if crs is None and len(found) > 1:
        raise DataError(
            f"found files in {len(found)} coordinate systems ({', '.join(found)}); choose the "
            f"cube's, for example crs={found[0]!r}, or narrow the search to one"
        )
    target = crs or found[0]
    own = [frame for frame in frames if frame.crs == target]
    straight = [f for f in own if f.transform[1] == f.transform[3] == 0]
    if resolution is None and not straight:
        raise DataError(
            f"no file lies upright in {target}, so nothing tells the size of a pixel: pass "
            "resolution= in the unit of the CRS"
        )
    finest = min(straight, key=lambda f: f.transform[0], default=None)
    step = (resolution, resolution) if resolution else _step(finest)
    at = (0.0, 0.0)
    if finest is not None and step == _step(finest):
        at = (finest.transform[2], finest.transform[5])
    areas = (
        [reproject(_four(bbox), "EPSG:4326", target)]
        if bbox is not None
        else [reproject(frame.bounds, frame.crs, target) for frame in frames]
    )
    left, bottom = min(a[0] for a in areas), min(a[1] for a in areas)
    right, top = max(a[2] for a in areas), max(a[3] for a in areas)
    return _snapped((left, bottom, right, top), target, step, at)


def _step(frame: Frame | None) -> tuple[float, float]:
    assert frame is not None
    return frame.transform[0], abs(frame.transform[4])


def _four(bbox: Sequence[float]) -> Bounds:
    if len(bbox) != 4 or not (bbox[0] < bbox[2] and bbox[1] < bbox[3]):
        raise DataError(f"found bbox={list(bbox)}; wanted (west, south, east, north) in degrees")
    return bbox[0], bbox[1], bbox[2], bbox[3]


def _snapped(area: Bounds, crs: str, step: tuple[float, float], at: tuple[float, float]) -> Grid:
    """Widen an area to whole pixels; a millionth of a pixel is rounding, not area."""
    tiny = 1e-6
    first_col = math.floor((area[0] - at[0]) / step[0] + tiny)
    last_col = math.ceil((area[2] - at[0]) / step[0] - tiny)
    first_row = math.floor((at[1] - area[3]) / step[1] + tiny)
    last_row = math.ceil((at[1] - area[1]) / step[1] - tiny)
    return Grid(
        crs,
        at[0] + first_col * step[0],
        at[1] - first_row * step[1],
        step,
        (max(1, last_row - first_row), max(1, last_col - first_col)),
    )
