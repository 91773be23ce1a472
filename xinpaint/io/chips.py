"""Training chips out of Earth Engine: Landsat 7 before and after its scan lines broke.

The set of Pondaven et al. 2022 (arXiv 2205.12407): RGB chips of 256 x 256 pixels over a country,
whole ones from before 2003-05-31 to learn from, striped ones from after it for their gaps.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.transform import Affine

from xinpaint.errors import DataError
from xinpaint.io import earthengine
from xinpaint.io.ee_request import fit, known
from xinpaint.io.grid import Grid

#: Side of a chip in pixels, and of a pixel in metres.
SIDE, PIXEL = 256, 30.0
#: Folder -> dates; the scan line corrector failed on 2003-05-31.
TIMES = {"before": "1999-06-29/2003-05-30", "after": "2003-06-01/2022-04-05"}
#: Chips with a larger share missing are left out.
MOST_MISSING = 0.5
_RGB = ("red", "green", "blue")


def export(
    out: Path,
    place: str | Sequence[float],
    *,
    count: int = 100,
    collection: str = "LANDSAT/LE07/C02/T1_L2",
    project: str | None = None,
    seed: int = 0,
) -> dict[str, int]:
    """Write chips as GeoTIFFs and the gaps of those from after as a bank of masks.

    A file that is there is not asked for again, so the same call goes on after an interruption.

    Parameters
    ----------
    out : path
        Folder for ``before/etm_<n>_<yyyymmdd>.tif``, ``after/...`` and ``gaps.npz``.
    place : str or (west, south, east, north)
        A country's English name, or a box in degrees.
    count : int
        Places; of each one the clearest image before and after, where less than half is missing.
    collection : str
        A Landsat 7 collection.
    project : str, optional
        The Earth Engine project, where no session is there.
    seed : int
        Same seed, same places.

    Returns
    -------
    dict of str to int
        Chips now there, by folder.

    Raises
    ------
    DataError
        Where Earth Engine refuses, or the collection is not Landsat 7's.

    Examples
    --------
    >>> export(Path("chips"), "Ukraine", count=10)  # doctest: +SKIP
    """
    about = known(collection)
    if about.satellite != 7:
        raise DataError(f"found collection={collection!r}; wanted Landsat 7 (LANDSAT/LE07/C02/...)")
    own = [{name: band for band, name in about.bands.items()}[name] for name in _RGB]
    earthengine.initialise(project)
    for number, point in enumerate(earthengine.points_in(place, count, seed)):
        grid = around(point, about.corner)
        for folder, dates in TIMES.items():
            home = out / folder
            home.mkdir(parents=True, exist_ok=True)
            name = f"etm_{number:05d}"
            if any(home.glob(f"{name}_*")):
                continue
            image = earthengine.clearest(collection, point, dates)
            if image is None:
                (home / f"{name}_none.skipped").touch()
                continue
            values = earthengine.numbers(image, own, grid)
            day = image.rsplit("_", 1)[-1]
            if (values == 0).any(axis=0).mean() > MOST_MISSING:
                (home / f"{name}_{day}.skipped").touch()
            else:
                _write(home / f"{name}_{day}.tif", values, grid)
    _bank(out)
    return {folder: len(list((out / folder).glob("*.tif"))) for folder in TIMES}


def around(point: tuple[float, float], corner: float) -> Grid:
    """The grid of a chip with a point in its middle, aligned with Landsat's pixels."""
    longitude, latitude = point
    seed = fit((longitude, latitude, longitude + 1e-6, latitude + 1e-6), PIXEL, None, corner)
    start = -(SIDE // 2)
    return seed.part(slice(start, start + SIDE), slice(start, start + SIDE))


def _write(path: Path, values: NDArray[np.generic], grid: Grid) -> None:
    dtype = np.dtype(np.uint16 if values.dtype.kind in "iu" else np.float32)
    part = path.with_name(f".{path.name}.{os.getpid()}.partial")
    with rasterio.open(
        part, "w", driver="GTiff", width=SIDE, height=SIDE, count=len(values), dtype=dtype,
        nodata=0, crs=grid.crs, transform=Affine(*grid.transform), compress="deflate", tiled=True,
    ) as file:  # fmt: skip
        file.write(values.astype(dtype))
        file.descriptions = _RGB
    part.rename(path)


def _bank(out: Path) -> None:
    """Gaps of the striped chips, packed as `xinpaint.train` reads them."""
    gaps, names = [], []
    for path in sorted((out / "after").glob("*.tif")):
        with rasterio.open(path) as source:
            gap = (source.read() == 0).any(axis=0)
        if gap.any():
            gaps.append(np.packbits(gap, axis=-1))
            names.append(path.stem)
    if gaps:
        np.savez_compressed(out / "gaps.npz", mask=np.stack(gaps), name=np.array(names))
