"""Labels of a cube that was read: coordinates, CRS and attributes go on last."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import xarray as xr

from xinpaint.core.sensors import IMAGERS
from xinpaint.io.grid import Grid
from xinpaint.io.items import Packing, Scene
from xinpaint.io.mosaic import Band
from xinpaint.io.reflectance import attributes

DIMS = ("time", "y", "x")
_WHO = {"platform": "satellite", "sensor": "imager", "item": "ids of the items of the date"}


def coords(grid: Grid) -> dict[str, Any]:
    """Pixel centres, and ``spatial_ref`` where the coordinate system is known."""
    y, x = grid.centres()
    made: dict[str, Any] = {
        "y": ("y", y, {"axis": "Y", "standard_name": "projection_y_coordinate"}),
        "x": ("x", x, {"axis": "X", "standard_name": "projection_x_coordinate"}),
    }
    if not grid.crs:
        return made
    import pyproj

    system = pyproj.CRS.from_user_input(grid.crs)
    if system.is_geographic:
        made["y"][2].update(standard_name="latitude", units="degrees_north")
        made["x"][2].update(standard_name="longitude", units="degrees_east")
    a, b, c, d, e, f = grid.transform
    attrs = {
        **system.to_cf(),
        "spatial_ref": system.to_wkt(),
        "GeoTransform": f"{c} {a} {b} {f} {d} {e}",
    }
    return {**made, "spatial_ref": xr.Variable((), np.int64(0), attrs)}


def dataset(groups: Sequence[Sequence[Scene]], grid: Grid) -> xr.Dataset:
    """Make the Dataset without its bands: time, y, x, CRS, and who saw each date."""
    when = np.array([group[0].when for group in groups], "datetime64[ns]")
    told = [tuple(_joined(group, key) for key in _WHO) for group in groups]
    return xr.Dataset(coords={"time": ("time", when), **coords(grid), **who(told)})


def who(dates: Iterable[Sequence[str]]) -> dict[str, Any]:
    """Coordinates along time: who saw each date, from its (platform, sensor, items)."""
    columns = zip(_WHO.items(), zip(*dates, strict=True), strict=True)
    return {
        key: ("time", np.array(values, object), {"long_name": told})
        for (key, told), values in columns
    }


def landsat(number: int, sensor: str, items: str) -> tuple[str, str, str]:
    """Who saw a date, from Landsat's number (0 for others) and a sensor of `xinpaint.core`."""
    return (f"landsat-{number}" if number else "", IMAGERS.get(sensor, ""), items)


def _joined(group: Sequence[Scene], key: str) -> str:
    values = [scene.name if key == "item" else getattr(scene, key) for scene in group]
    return " ".join(dict.fromkeys(value for value in values if value))


def variable(array: Any, attrs: dict[str, Any], grid: Grid) -> xr.Variable:
    """Put dims, attributes and the CRS on an array ``[t y x]``."""
    made = xr.Variable(DIMS, array, attrs)
    made.encoding["grid_mapping"] = "spatial_ref"
    return made


def band(array: Any, how: Band, packing: Packing, grid: Grid) -> xr.Variable:
    """Label a band: reflectance needs no scale any more, stored numbers carry theirs."""
    if how.scaled:
        return variable(array, attributes(how.name), grid)
    attrs: dict[str, Any] = {"_FillValue": np.dtype(how.dtype).type(how.nodata)}
    if packing.scale is not None and (packing.scale, packing.offset) != (1.0, 0.0):
        attrs |= {"scale_factor": packing.scale, "add_offset": packing.offset}
    return variable(array, attrs, grid)
