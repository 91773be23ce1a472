"""Areas on the ground of a cube's classes."""

from __future__ import annotations

import math
import re
from collections.abc import Hashable
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xinpaint.cube import schema
from xinpaint.errors import SchemaError

#: WGS 84: half axes in m.
_A, _B = 6378137.0, 6356752.314245
_UNITS = {"m": 1.0, "metre": 1.0, "meter": 1.0, "metres": 1.0, "meters": 1.0, "km": 1e3}


def area(water: xr.Dataset | xr.DataArray) -> xr.Dataset:
    """Area of each class, and of what nobody saw.

    Parameters
    ----------
    water : Dataset or DataArray
        With flags, as ``ds.water.seasonality()`` and ``ds.water.extent()`` give it. NaN, where it
        was masked, is no data.

    Returns
    -------
    Dataset
        ``area`` (class, time) in km², float64; ``class`` holds the flags' meanings. In a projected
        coordinate system all pixels are of one size, so use one that keeps areas; in degrees each
        row has its own (WGS 84).

    Raises
    ------
    SchemaError
        Where there are no flags, or the size of a pixel is not known.
    """
    array = _flagged(schema.as_dataset(water))
    axes = schema.find_axes(array.to_dataset(name="water"))
    rows = _rows(array, axes["y"], axes["x"])
    codes, names = _classes(array)
    parts = []
    for code, name in zip(codes, names, strict=True):
        pixels = array == code
        if name == "no_data":
            pixels |= array.isnull()
        parts.append(_summed(pixels.sum([axes["x"]]), rows, axes["y"]))
    made: xr.DataArray = xr.concat(parts, xr.Variable("class", names))
    made.attrs = {"long_name": "area", "units": "km2"}
    crs = [name for name, coord in made.coords.items() if coord.ndim == 0]
    return made.drop_vars(crs).to_dataset(name="area")


def _summed(pixels: xr.DataArray, rows: NDArray[np.float64], y: Hashable) -> xr.DataArray:
    """Area of so many pixels a row, rounded once: the same whatever the chunks."""
    made: xr.DataArray = xr.apply_ufunc(
        lambda counts: np.apply_along_axis(math.fsum, -1, counts * rows),
        pixels if pixels.chunks is None else pixels.chunk({y: -1}),
        input_core_dims=[[y]],
        dask="parallelized",
        output_dtypes=[np.float64],
    )
    return made


def _classes(array: xr.DataArray) -> tuple[list[int], list[str]]:
    """Codes and names of the flags; a GeoTIFF's tags hold the codes as text."""
    said, names = array.attrs["flag_values"], str(array.attrs["flag_meanings"]).split()
    found = re.findall(r"-?\d+", said) if isinstance(said, str) else np.atleast_1d(said).tolist()
    if len(found) != len(names):
        raise SchemaError(
            f"found flag_values {said!r} for flag_meanings {names}; wanted as many numbers: set "
            f"attrs['flag_values'] of {str(array.name)!r} to one for each meaning"
        )
    return [int(code) for code in found], names


def _flagged(dataset: xr.Dataset) -> xr.DataArray:
    for name in ("seasonality", "extent", *dataset.data_vars):
        array: xr.DataArray | None = dataset.get(name)
        if array is not None and {"flag_values", "flag_meanings"} <= set(array.attrs):
            return array
    raise SchemaError(
        f"found {list(dataset.data_vars)}, none with flags; wanted what ds.water.seasonality() or "
        "ds.water.extent() gives"
    )


def _rows(array: xr.DataArray, y: Hashable, x: Hashable) -> NDArray[np.float64]:
    """Area of one pixel of each row, ``[y]`` in km²."""
    wkt = _wkt(array)
    dy, dx = _step(array, y, 5), _step(array, x, 1)
    if _in_degrees(array, y, wkt):
        if y not in array.coords:
            raise SchemaError(
                f"{y!r} has no coordinate; areas in degrees need the latitudes: assign them with "
                f"ds.assign_coords({y}=...)"
            )
        north, south = (array[y].values + sign * abs(dy) / 2 for sign in (1, -1))
        rows = (_zone(north) - _zone(south)) * np.deg2rad(abs(dx)) / 1e6
        return np.asarray(rows, np.float64)
    if "Pseudo-Mercator" in wkt or "foot" in wkt.lower():
        raise SchemaError(
            "areas need a coordinate system in metres or degrees that does not stretch them; "
            f"found {wkt[:60]!r}: reproject, for example with .rio.reproject"
        )
    _check_metres(array, (y, x), (dy, dx), wkt)
    size = abs(dy * _unit(array, y) * dx * _unit(array, x)) / 1e6
    return np.full(array.sizes[y], size)


def _check_metres(
    array: xr.DataArray, dims: tuple[Hashable, ...], steps: tuple[float, ...], wkt: str
) -> None:
    """Raise SchemaError where nothing says metres and the coordinates look like degrees."""
    if wkt or any(d not in array.coords or "units" in array[d].attrs for d in dims):
        return
    tops = [float(abs(array[dim]).max()) for dim in dims]
    if tops[0] <= 90 and tops[1] <= 360 and max(map(abs, steps)) < 0.1:
        raise SchemaError(
            f"coordinates {dims[0]!r} and {dims[1]!r} look like degrees (up to {tops[0]:g} and "
            f"{tops[1]:g}, in steps of {abs(steps[0]):g}), but no coordinate system or unit says "
            "so: write it with ds.rio.write_crs('EPSG:4326'), or rename them latitude and longitude"
        )


def _wkt(array: xr.DataArray) -> str:
    name = array.encoding.get("grid_mapping", array.attrs.get("grid_mapping", "spatial_ref"))
    attrs = array.coords[name].attrs if name in array.coords else {}
    wkt = str(attrs.get("crs_wkt", attrs.get("spatial_ref", "")))
    for code in ("epsg", "proj:epsg", "proj:code"):  # all that stackstac says
        if not wkt and code in array.coords and array.coords[code].ndim == 0:
            import pyproj

            wkt = pyproj.CRS.from_user_input(array.coords[code].item()).to_wkt()
    return wkt


def _in_degrees(array: xr.DataArray, y: Hashable, wkt: str) -> bool:
    unit = str(array[y].attrs.get("units", "")) if y in array.coords else ""
    named = str(y).lower() in ("lat", "latitude")
    return named or unit.startswith("degree") or wkt.lstrip().startswith("GEOG")


def _unit(array: xr.DataArray, dim: Hashable) -> float:
    unit = array[dim].attrs.get("units", "m") if dim in array.coords else "m"
    if unit not in _UNITS:
        raise SchemaError(
            f"coordinate {dim!r} is in {unit!r}; wanted m, km or degrees: reproject, for example "
            "with .rio.reproject, or mend its attrs['units']"
        )
    return _UNITS[unit]


def _step(array: xr.DataArray, dim: Hashable, place: int) -> float:
    """Distance of two pixels, from the coordinate or the GeoTransform."""
    if dim in array.coords and array.sizes[dim] > 1:
        values = array[dim].values
        return float(values[-1] - values[0]) / (array.sizes[dim] - 1)
    name: Any = array.encoding.get("grid_mapping", "spatial_ref")
    words = str(array.coords[name].attrs.get("GeoTransform", "")) if name in array.coords else ""
    if len(words.split()) == 6:
        return float(words.split()[place])
    raise SchemaError(
        f"{dim!r} has no coordinate, so the size of a pixel is not known; assign it with "
        f"ds.assign_coords({dim}=...)"
    )


def _zone(latitude: NDArray[np.float64]) -> NDArray[np.float64]:
    """Area from the equator to a latitude for one radian of longitude, in m² on the ellipsoid."""
    e = np.sqrt(1 - (_B / _A) ** 2)
    sine = np.sin(np.deg2rad(np.clip(latitude, -90, 90)))
    part = sine / (1 - (e * sine) ** 2) + np.arctanh(e * sine) / e
    return np.asarray(_B**2 / 2 * part, np.float64)
