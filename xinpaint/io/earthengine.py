"""Earth Engine collections as cubes, through xee; the only room that knows ``ee``.

What xee leaves to do: the grid (it wants crs, transform and shape), whole-number quality bands (it
reads all as float32), a clean encoding, one date a satellite's pass, errors that say what to do.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import ee
import numpy as np
import xarray as xr
from google.auth.credentials import AnonymousCredentials
from numpy.typing import NDArray
from xee.ext import EarthEngineStore

from xinpaint.core import qa
from xinpaint.errors import DataError
from xinpaint.io.ee_labels import labelled
from xinpaint.io.ee_request import bounds, choose, fit, interval, known
from xinpaint.io.grid import Grid

#: Bytes of one answer, at most: Earth Engine refuses more.
REQUEST_LIMIT = 48 * 2**20
#: Pixels a request asks for: 8 bytes a pixel stay well below the limit.
_PIXELS, _SIDE = 4 * 2**20, 1024
#: Tries of one request, and the first wait between two of them in seconds; it doubles.
TRIES, WAIT = 8, 1.0
#: Images of one satellite so near in time are one pass.
_PASS = 15 * 60 * 1000

_PASSING = re.compile(r"quota|too many|rate|try again|internal error|backend|unavailable", re.I)


class _Pixels:
    """Asks for pixels, and again where the server was only busy."""

    def __getitem__(self, params: Mapping[str, Any]) -> NDArray[Any]:
        for attempt in range(TRIES):
            try:
                answer: NDArray[Any] = ee.data.computePixels(dict(params))
            except ee.EEException as error:
                if attempt == TRIES - 1 or not _is_passing(error):
                    raise DataError(
                        f"Earth Engine refused pixels after {attempt + 1} tries: {error}"
                    ) from error
                time.sleep(WAIT * 2**attempt * random.uniform(0.5, 1.5))
            else:
                return answer
        raise AssertionError


class _Store(EarthEngineStore):  # type: ignore[misc]
    """Xee's store with our way of asking again."""

    def image_to_array(self, image: Any, **options: Any) -> NDArray[Any]:
        made: NDArray[Any] = super().image_to_array(image, pixels_getter=_Pixels(), **options)
        return made


def _is_passing(error: ee.EEException) -> bool:
    response = getattr(error.__context__, "resp", None)
    status = int(getattr(response, "status", 0) or 0)
    return status == 429 or status >= 500 or (status == 0 and bool(_PASSING.search(str(error))))


def open_ee(
    collection: str,
    *,
    geometry: Any,
    datetime: str,
    bands: Sequence[str] | None = None,
    scale: float = 30.0,
    crs: str | None = None,
    reflectance: bool = True,
    mask: Collection[str] = qa.GAPS,
) -> xr.Dataset:
    """Open an Earth Engine collection as a lazy cube that ``ds.inpaint`` fills straight on.

    Call ``ee.Initialize(project=...)`` first. Workers in other processes initialise themselves,
    with the same project and server and the credentials stored where they run.

    Parameters
    ----------
    collection : str
        Such as ``LANDSAT/LE07/C02/T1_L2``. Scale, quality band and names are known of Landsat
        Collection 2 and of ``COPERNICUS/S2_SR_HARMONIZED``; bands of others keep names and numbers.
    geometry : (west, south, east, north), GeoJSON mapping or ee.Geometry
        What the grid covers, in degrees.
    datetime : str
        ``"2005"``, ``"2005-03-01/2005-09"``, ``"2005/2006"``; both ends included.
    bands : sequence of str, optional
        Common names or the collection's own; a quality band to keep it as it is. The reflective
        bands where not given.
    scale : float
        Side of a pixel in units of `crs`.
    crs : str, optional
        The UTM zone of the geometry's middle where not given, as Landsat has it (north, also south
        of the equator). The grid is aligned with Landsat's pixels, so at 30 m none is resampled.
    reflectance : bool
        Apply scale and offset: float32, NaN where missing. False leaves the numbers, with nodata
        0, and ``scale_factor`` and ``add_offset`` in the attributes.
    mask : collection of str
        What counts as a gap: names of `xinpaint.core.qa.FLAGS`. Goes into ``observed``.

    Returns
    -------
    Dataset
        As `xinpaint.open_scenes` has it.

    Raises
    ------
    DataError
        Where Earth Engine is not initialised, finds nothing or refuses.
    SchemaError
        Where band, date, geometry or mask are not understood.

    Examples
    --------
    >>> ds = xinpaint.open_ee(  # doctest: +SKIP
    ...     "LANDSAT/LE07/C02/T1_L2", geometry=(36.7, -1.4, 36.9, -1.2), datetime="2004/2006"
    ... )
    """
    if not ee.data.is_initialized():
        raise DataError("Earth Engine is not initialised: call ee.Initialize(project=...) first")
    about = known(collection)
    box = bounds(_ask(geometry.bounds()) if isinstance(geometry, ee.Geometry) else geometry)
    grid = fit(box, scale, crs, about.corner)
    names = choose(about, bands)
    start, end = interval(datetime)
    whole = ee.ImageCollection(collection).filterDate(start, end)
    found = whole.filterBounds(ee.Geometry.Rectangle([*box], "EPSG:4326", False))
    own = [*names.values(), *([about.quality] if about.quality else [])]
    picked, passes = _passes(found, list(dict.fromkeys(own)), f"{collection} in {datetime}, {box}")
    raw = _lazily(picked, grid)
    return labelled(raw, names, about, passes, grid, reflectance=reflectance, mask=mask)


def _passes(found: Any, own: list[str], asked: str) -> tuple[Any, list[tuple[list[str], int]]]:
    """The collection with one image a pass, and ids and time of each."""
    columns = [found.aggregate_array(name) for name in ("system:id", "system:time_start")]
    ids, times = _ask(ee.List(columns))
    groups: list[tuple[list[str], int]] = []
    for stamp, name in sorted(zip(times, ids, strict=True)):
        near = bool(groups) and stamp - groups[-1][1] <= _PASS
        if near and _craft(groups[-1][0][0]) == _craft(name):
            groups[-1][0].append(name)
        else:
            groups.append(([name], stamp))
    if not groups:
        raise DataError(f"Earth Engine found no image of {asked}; check place and dates")
    if max(len(names) for names, _ in groups) == 1 and sorted(times) == times:
        return found.select(own), groups
    images = [
        ee.ImageCollection([ee.Image(name).select(own) for name in reversed(names)])
        .mosaic()
        .set("system:time_start", stamp)
        for names, stamp in groups
    ]
    return ee.ImageCollection(images), groups


def _craft(name: str) -> str:
    return name.rsplit("/", 1)[-1][:4]


def _ask(value: Any) -> Any:
    try:
        return value.getInfo()
    except ee.EEException as error:
        raise DataError(f"Earth Engine refused what was asked: {error}") from error


def _lazily(picked: Any, grid: Grid) -> xr.Dataset:
    """What xee makes of a collection on a grid: float32, NaN where masked; nothing is read."""
    rows, cols = grid.shape
    side = min(_SIDE, max(rows, cols))
    dates = max(1, min(32, _PIXELS // (min(side, rows) * min(side, cols))))
    try:
        store = _Store(
            picked,
            crs=grid.crs,
            crs_transform=grid.transform,
            shape_2d=(cols, rows),
            chunks={"index": dates, "width": side, "height": side},
            request_byte_limit=REQUEST_LIMIT,
            ee_init_if_necessary=True,
            ee_init_kwargs=_session(),
        )
    except ee.EEException as error:
        raise DataError(f"Earth Engine refused what was asked: {error}") from error
    chunks = {"time": dates, "y": side, "x": side}
    made: xr.Dataset = xr.open_dataset(store, engine="store", mask_and_scale=False, chunks=chunks)
    return made


def _session() -> dict[str, Any]:
    """What a worker in another process needs for a session like this one; no secret among it."""
    state = ee.data._get_state()
    open_to_all = isinstance(state.credentials, AnonymousCredentials)
    return {
        "project": state.cloud_api_user_project,
        "url": state.cloud_api_base_url,
        **({"credentials_function": AnonymousCredentials} if open_to_all else {}),
    }


def initialise(project: str | None) -> None:
    """Start a session with the credentials stored here, unless there is one.

    Raises
    ------
    DataError
        Where there are no credentials, or no project.
    """
    if ee.data.is_initialized():
        return
    try:
        ee.Initialize(project=project)
    except Exception as error:  # the client raises errors of several libraries here
        raise DataError(
            f"Earth Engine does not let us in: {error}; run `earthengine authenticate` once, and "
            "pass project="
        ) from error


def points_in(place: str | Sequence[float], count: int, seed: int) -> list[tuple[float, float]]:
    """Random places, longitude and latitude, in a country (its English name) or a box in degrees.

    Borders are those of ``USDOS/LSIB_SIMPLE/2017``.

    Raises
    ------
    DataError
        Where no country has that name.
    """
    if isinstance(place, str):
        borders = ee.FeatureCollection("USDOS/LSIB_SIMPLE/2017")
        found = borders.filter(ee.Filter.eq("country_na", place))
        if _ask(found.size()) == 0:
            raise DataError(
                f"no country is called {place!r}; wanted its English name as in "
                "USDOS/LSIB_SIMPLE/2017, or a box (west, south, east, north)"
            )
        region = found.geometry()
    else:
        region = ee.Geometry.Rectangle([*bounds(place)], "EPSG:4326", False)
    drawn = _ask(ee.FeatureCollection.randomPoints(region=region, points=count, seed=seed))
    return [tuple(one["geometry"]["coordinates"][:2]) for one in drawn["features"]]


def clearest(collection: str, point: tuple[float, float], datetime: str) -> str | None:
    """Id of the image over a point with the least cloud; None where there is none."""
    start, end = interval(datetime)
    found = ee.ImageCollection(collection).filterDate(start, end)
    found = found.filterBounds(ee.Geometry.Point([*point])).sort("CLOUD_COVER").limit(1)
    ids = _ask(found.aggregate_array("system:id"))
    return str(ids[0]) if ids else None


def numbers(image: str, own: Sequence[str], grid: Grid) -> NDArray[Any]:
    """Bands of one image on a grid as stored, ``[b y x]``, 0 where masked."""
    keys = ("scaleX", "shearX", "translateX", "shearY", "scaleY", "translateY")
    affine = dict(zip(keys, grid.transform, strict=True))
    answer = _Pixels()[
        {
            "expression": ee.Image(image).select([*own]).unmask(0, False),
            "fileFormat": "NUMPY_NDARRAY",
            "grid": {
                "dimensions": {"width": grid.shape[1], "height": grid.shape[0]},
                "affineTransform": affine,
                "crsCode": grid.crs,
            },
        }
    ]
    return np.stack([answer[name] for name in answer.dtype.names or ()])
