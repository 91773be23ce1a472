"""A Landsat-like cube that the package makes itself, with its truth: for demos, docs and tests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy import ndimage

from xinpaint.core import masks
from xinpaint.errors import SchemaError
from xinpaint.io import _ground, _season

#: EPSG:32636, WGS 84 / UTM zone 36N.
CRS_WKT = (
    'PROJCS["WGS 84 / UTM zone 36N",GEOGCS["WGS 84",DATUM["WGS_1984",SPHEROID["WGS 84",6378137,'
    '298.257223563,AUTHORITY["EPSG","7030"]],AUTHORITY["EPSG","6326"]],PRIMEM["Greenwich",0,'
    'AUTHORITY["EPSG","8901"]],UNIT["degree",0.0174532925199433,AUTHORITY["EPSG","9122"]],'
    'AUTHORITY["EPSG","4326"]],PROJECTION["Transverse_Mercator"],PARAMETER["latitude_of_origin",0],'
    'PARAMETER["central_meridian",33],PARAMETER["scale_factor",0.9996],'
    'PARAMETER["false_easting",500000],PARAMETER["false_northing",0],'
    'UNIT["metre",1,AUTHORITY["EPSG","9001"]],AXIS["Easting",EAST],AXIS["Northing",NORTH],'
    'AUTHORITY["EPSG","32636"]]'
)
PIXEL = 30.0
LEFT, TOP = 600_000.0, 5_250_000.0
FIRST = np.datetime64("2008-04-15T08:20", "ns")
#: Days between two overpasses of Landsat 7.
REPEAT = 16


def open_cube(
    *,
    dates: int = 6,
    size: int = 256,
    seed: int = 0,
    truth: bool = False,
    chunks: Mapping[Any, int] | None = None,
) -> xr.Dataset:
    """Make a Landsat 7-like time stack with SLC-off stripes and clouds cut out.

    An invented valley in six bands: hills, fields with their crops' calendars, woods, a town, a
    river and lakes that swell with the snow melt and shrink until autumn. Same arguments, same
    cube.

    Parameters
    ----------
    dates : int
        Overpasses, spread over a year in multiples of 16 days.
    size : int
        Pixels of 30 m a side, at least 32.
    seed : int
        Another seed, another valley.
    truth : bool
        The same cube with nothing missing.
    chunks : mapping, optional
        Dask chunks such as ``{"time": 1, "y": 128, "x": 128}``; NumPy arrays where not given.

    Returns
    -------
    xarray.Dataset
        ``blue green red nir swir1 swir2`` over (time, y, x), uint16, reflectance × 10,000;
        0 = missing, as attribute ``nodata`` says; pixel centres in EPSG:32636.

    Raises
    ------
    SchemaError
        Where `dates` < 1 or `size` < 32.

    Examples
    --------
    >>> cube = open_cube(dates=2, size=64)
    >>> dict(cube.sizes)
    {'time': 2, 'y': 64, 'x': 64}
    """
    if dates < 1 or size < 32:
        raise SchemaError(
            f"the tutorial cube needs dates >= 1 and size >= 32; found dates={dates}, size={size}"
        )
    time = FIRST + np.arange(dates) * np.timedelta64(_step(dates), "D").astype("timedelta64[ns]")
    land = _ground.ground(size, seed)
    stack = np.empty((6, dates, size, size), np.uint16)
    for k, day in enumerate(_days_of_year(time)):
        seen = _season.reflectance(land, day, seed=seed)
        stack[:, k] = np.clip(np.rint(seen * 10_000), 1, 65_535)
        if not truth:
            stack[:, k, _missing(size, seed, k)] = 0
    cube = _label(stack, time)
    return cube if chunks is None else cube.chunk(chunks)


def _step(dates: int) -> int:
    """Days between dates: whole repeat cycles that spread them over about a year."""
    return REPEAT * max(1, round(365 / REPEAT / dates))


def _days_of_year(time: NDArray[np.datetime64]) -> list[float]:
    start = time.astype("datetime64[Y]").astype(time.dtype)
    return [float(d) for d in (time - start) / np.timedelta64(1, "D")]


def _missing(size: int, seed: int, date: int) -> NDArray[np.bool_]:
    """Gaps of one date: stripes of one track, shifted; clouds and their shadows on two of three."""
    rng = np.random.default_rng([seed, 6, date])
    # One ground track, so one tilt: each date sees another part of the same stripes.
    track = masks.scan_lines((size + 48, size + 48), seed=seed + 7, position=0.62, span=0.45)
    y, x = rng.integers(0, 48, 2)
    gap = track[y : y + size, x : x + size].copy()
    if date % 3 != 1:
        cloud = masks.clouds(
            (size, size), seed=1000 * seed + date, fraction=rng.uniform(0.03, 0.12)
        )
        cloud = ndimage.gaussian_filter(cloud.astype(np.float32), 1.8) > 0.5
        shadow = np.zeros_like(cloud)
        # The sun stands in the south-east: shadows fall to the north-west.
        shadow[:-9, :-7] = cloud[9:, 7:]
        gap |= ndimage.gaussian_filter((cloud | shadow).astype(np.float32), 1.5) > 0.1
    return gap


def _label(stack: NDArray[np.uint16], time: NDArray[np.datetime64]) -> xr.Dataset:
    size = stack.shape[-1]
    steps = (np.arange(size) + 0.5) * PIXEL
    reference = {
        "crs_wkt": CRS_WKT,
        "spatial_ref": CRS_WKT,
        "grid_mapping_name": "transverse_mercator",
        "GeoTransform": f"{LEFT} {PIXEL} 0.0 {TOP} 0.0 {-PIXEL}",
    }
    metre = {"units": "metre", "axis": "", "standard_name": ""}
    cube = xr.Dataset(
        {band: (("time", "y", "x"), stack[k]) for k, band in enumerate(_season.BANDS)},
        coords={
            "time": ("time", time, {"standard_name": "time", "axis": "T"}),
            "y": (
                "y",
                TOP - steps,
                metre | {"axis": "Y", "standard_name": "projection_y_coordinate"},
            ),
            "x": (
                "x",
                LEFT + steps,
                metre | {"axis": "X", "standard_name": "projection_x_coordinate"},
            ),
            "spatial_ref": ((), 0, reference),
        },
        attrs={"title": "xinpaint tutorial cube: an invented valley as Landsat 7 would see it"},
    )
    for band in _season.BANDS:
        cube[band].attrs = {
            "long_name": f"{band} surface reflectance x 10000",
            "units": "1e-4",
            "nodata": 0,
        }
        cube[band].encoding["grid_mapping"] = "spatial_ref"
    return cube
