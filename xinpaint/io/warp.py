"""From a file's own pixels to the cube's: nearest neighbour, at exact positions.

GDAL's warper works positions out to an eighth of a pixel, in pieces that each library cuts in its
own way: some pixels in a hundred come from a neighbour, and which ones depends on engine and chunk.
Here an engine only reads pixels as they lie in the file. Which of them lands where is worked out by
PROJ, pixel by pixel.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xinpaint.io.grid import Grid, frame_of_file, same_crs

#: Pixels of a file that are read at once; coarse cubes are read in parts.
MOST = 32_000_000
#: A pixel's middle so near the border of two pixels of the file belongs to the second, in pixels.
TIE = 1e-6

Engine = Callable[..., NDArray[Any]]
Places = tuple[slice, slice, NDArray[np.int32]]


def onto(
    grid: Grid, image: Any, *, engine: Engine, band: int, dtype: np.dtype[Any], nodata: float
) -> NDArray[Any]:
    """Read one band of an opened file onto a grid.

    Parameters
    ----------
    grid : Grid
    image : rasterio dataset
    engine : callable
        `xinpaint.io.read_odc.read` or its like.
    band : int
        From 1.
    dtype, nodata : numpy dtype, float
        Of the result; nodata where the file has nothing.

    Returns
    -------
    array ``[y x]``
        A file that is turned, or whose rows run up, is left to the engine's own warper.
    """
    read = partial(engine, image.name, band, dtype=dtype, nodata=nodata)
    own = frame_of_file(image).grid
    if own is None or min(own.step) <= 0 or own.place(grid) is not None:
        return read(grid=grid)
    found = places(own, grid)
    if found is None:
        return np.full(grid.shape, nodata, dtype)
    rows, cols, index = found
    window = own.part(rows, cols)
    if window.shape[0] * window.shape[1] > MOST and max(grid.shape) > 1:
        axis = int(grid.shape[1] > grid.shape[0])
        halves = [
            onto(half, image, engine=engine, band=band, dtype=dtype, nodata=nodata)
            for half in grid.halves(axis)
        ]
        return np.concatenate(halves, axis)
    values = np.append(read(grid=window).ravel(), dtype.type(nodata))
    return np.asarray(values[index])


@lru_cache(maxsize=4)  # the bands of a date share it; 4 bytes a pixel
def places(own: Grid, grid: Grid) -> Places | None:
    """Which pixel of a file lies under the middle of each pixel of a grid.

    Parameters
    ----------
    own, grid : Grid
        The file's pixels, and the cube's.

    Returns
    -------
    (rows, columns, int32 ``[y x]``) or None
        The window of the file that is needed, and each pixel's place in the flattened window; -1
        where the file has none. None where it has none at all.
    """
    y, x = grid.centres()
    xs, ys = np.meshgrid(x, y)
    if not same_crs(own.crs, grid.crs):
        from pyproj import Transformer

        xs, ys = Transformer.from_crs(grid.crs, own.crs, always_xy=True).transform(xs, ys)
    col = np.floor((xs - own.left) / own.step[0] + TIE)
    row = np.floor((own.top - ys) / own.step[1] + TIE)
    inside = (row >= 0) & (row < own.shape[0]) & (col >= 0) & (col < own.shape[1])
    if not inside.any():
        return None
    r, c = row[inside].astype(np.int32), col[inside].astype(np.int32)
    rows, cols = slice(int(r.min()), int(r.max()) + 1), slice(int(c.min()), int(c.max()) + 1)
    index = np.full(grid.shape, -1, np.int32)
    index[inside] = (r - rows.start) * (cols.stop - cols.start) + (c - cols.start)
    return rows, cols, index
