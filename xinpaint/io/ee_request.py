"""What is asked of Earth Engine, worked out without it: names, grid, dates."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from rasterio.crs import CRS

from xinpaint.core import landsat
from xinpaint.errors import SchemaError
from xinpaint.io.grid import Grid
from xinpaint.io.reflectance import Scale
from xinpaint.suggestions import did_you_mean

_LANDSAT = re.compile(
    r"LANDSAT/L(?P<kind>[COTEM])(?P<number>0[4-9])/C02/T\d(?:_(?P<level>L2|TOA))?\Z"
)
_SENTINEL = {
    "B2": "blue", "B3": "green", "B4": "red", "B8A": "nir08", "B11": "swir16", "B12": "swir22",
}  # fmt: skip


@dataclass(frozen=True)
class Known:
    """What is known of a collection: bands by their own name, scale, quality, its grid's corner."""

    bands: Mapping[str, str] = field(default_factory=dict)
    scale: Scale | None = None
    quality: str = ""
    corner: float = 0.0
    satellite: int = 0
    sensor: str = ""


def known(collection: str) -> Known:
    """What is known of a collection; little of those not in the list."""
    match = _LANDSAT.match(collection)
    if match is not None:
        satellite = int(match["number"])
        sensor = landsat.sensor_of(satellite, match["kind"])
        start = "SR_B" if match["level"] == "L2" else "B"
        bands = {f"{start}{n}": name for n, name in landsat.BANDS[sensor].items()}
        scale = {"L2": landsat.SURFACE, "TOA": (1.0, 0.0)}.get(match["level"])
        return Known(bands, scale, "QA_PIXEL", 15.0, satellite, sensor)
    if collection == "COPERNICUS/S2_SR_HARMONIZED":
        return Known(_SENTINEL, (1e-4, 0.0), "SCL", 0.0, 0, "msi")
    return Known()


def bounds(geometry: Any) -> tuple[float, float, float, float]:
    """West, south, east, north of a geometry in degrees.

    Raises
    ------
    SchemaError
        Where it is none, or crosses the 180th meridian.
    """
    if isinstance(geometry, Mapping):
        points = np.array(list(_points(geometry.get("coordinates", []))), float)
        if len(points) == 0:
            raise SchemaError(
                f"found a geometry without coordinates: {dict(geometry)!r:.80}; wanted a GeoJSON "
                "geometry, not a Feature: pass its ['geometry']"
            )
        geometry = (*points.min(0), *points.max(0))
    try:
        west, south, east, north = (float(edge) for edge in geometry)
    except (TypeError, ValueError) as error:
        raise SchemaError(
            f"found geometry={geometry!r:.80}; wanted (west, south, east, north) in degrees, a "
            "GeoJSON geometry or an ee.Geometry"
        ) from error
    if not (-180 <= west < east <= 180 and -90 <= south < north <= 90):
        raise SchemaError(
            f"found geometry=({west}, {south}, {east}, {north}); wanted west < east and south < "
            "north in degrees (open what crosses the 180th meridian in two parts)"
        )
    return west, south, east, north


def _points(coordinates: Any) -> Iterator[tuple[float, ...]]:
    if len(coordinates) and np.isscalar(coordinates[0]):
        yield tuple(coordinates)[:2]
        return
    for part in coordinates:
        yield from _points(part)


def fit(
    box: tuple[float, float, float, float], scale: float, crs: str | None, corner: float = 0.0
) -> Grid:
    """The grid that covers a box in degrees; pixel edges are multiples of `scale` plus `corner`.

    Raises
    ------
    SchemaError
        A coordinate system that is not known, or a pixel that is not larger than 0.
    """
    import pyproj

    if not scale > 0:
        raise SchemaError(f"found scale={scale}; wanted the side of a pixel, more than 0")
    west, south, east, north = box
    crs = crs or f"EPSG:{32601 + int(((west + east) / 2 + 180) // 6) % 60}"
    try:
        system = CRS.from_user_input(crs)
        to = pyproj.Transformer.from_crs("EPSG:4326", crs, always_xy=True)
    except Exception as error:  # each library has errors of its own
        raise SchemaError(f"found crs={crs!r}; wanted one such as 'EPSG:32618'") from error
    left, bottom, right, top = to.transform_bounds(west, south, east, north, densify_pts=21)
    shift = corner % scale if system.is_projected else 0.0
    first = np.floor((np.array([left, bottom]) - shift) / scale) * scale + shift
    last = np.ceil((np.array([right, top]) - shift) / scale) * scale + shift
    width, height = (int(n) for n in np.rint((last - first) / scale))
    name = str(system.to_string())
    return Grid(name, float(first[0]), float(last[1]), (scale, scale), (height, width))


def interval(text: str) -> tuple[str, str]:
    """First day, and the day after the last, of ``"2005"``, ``"2005-03"`` or ``"2005/2006-02"``.

    Examples
    --------
    >>> interval("2005/2006"), interval("2005-02")
    (('2005-01-01', '2007-01-01'), ('2005-02-01', '2005-03-01'))
    """
    first, _, last = str(text).partition("/")
    try:
        start, end = (np.datetime64(part.strip()) for part in (first, last or first))
        if any(np.datetime_data(edge)[0] not in ("Y", "M", "D") for edge in (start, end)):
            start, end = (edge.astype("datetime64[D]") for edge in (start, end))
    except ValueError as error:
        raise SchemaError(
            f"found datetime={text!r}; wanted such as '2005' or '2005/2006-03'"
        ) from error
    days = str(start.astype("datetime64[D]")), str((end + 1).astype("datetime64[D]"))
    if days[0] >= days[1]:
        raise SchemaError(f"found datetime={text!r}; wanted the earlier date first")
    return days


def choose(about: Known, bands: Sequence[str] | None) -> dict[str, str]:
    """Variable -> the collection's own band."""
    own = {name: band for band, name in about.bands.items()}
    if bands is None:
        if not own:
            raise SchemaError(
                "the collection is not in the list of known ones: pass bands=[...], the names of "
                "its bands"
            )
        return {name: band for name, band in own.items() if name != "coastal"}
    if isinstance(bands, str):
        raise SchemaError(f"found bands={bands!r}; wanted a sequence of names: bands=[{bands!r}]")
    made = {}
    for band in bands:
        name = landsat.SYNONYMS.get(band.lower(), band.lower())
        if band in about.bands:
            made[about.bands[band]] = band
        elif name in own or not own:
            made[name] = own.get(name, band)
        elif band.upper() == about.quality:
            made[band.lower()] = about.quality
        else:
            has = [*own, about.quality.lower()]
            raise SchemaError(f"no band {band!r}.{did_you_mean(band, has)} It has {has}")
    return made
