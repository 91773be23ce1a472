"""What STAC items say, as plain records: which file holds which band of which date."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from xinpaint.core.sensors import product_of, quality_layout, sensor_of
from xinpaint.errors import DataError
from xinpaint.io.grid import Bounds, Frame, frame_of, reproject
from xinpaint.io.reading import Asset

Item = dict[str, Any]


@dataclass(frozen=True)
class Packing:
    """How a band's numbers are stored; None = nothing says it."""

    dtype: str | None = None
    nodata: float | None = None
    scale: float | None = None
    offset: float = 0.0


@dataclass(frozen=True)
class Source:
    """One band of one item: its file, place in the file, packing, and where it lies."""

    asset: Asset
    band: int
    packing: Packing
    frame: Frame | None

    def covers(self, bounds: Bounds, crs: str) -> bool:
        """Whether the file may hold pixels of an area, in the CRS of the cube."""
        assert self.frame is not None  # `xinpaint.io.probe.known` has looked
        mine = reproject(self.frame.bounds, self.frame.crs, crs)
        return (
            mine[0] < bounds[2]
            and mine[2] > bounds[0]
            and mine[1] < bounds[3]
            and mine[3] > bounds[1]
        )


@dataclass(frozen=True)
class Scene:
    """One item.

    Parameters
    ----------
    name, collection : str
        Ids.
    when : datetime64[ns]
        UTC.
    longitude : float
        Of its middle, in degrees.
    platform, sensor : str
        As in ``landsat-7``, ``ETM+``; empty where not known.
    bands : mapping of str to Source
        By the name that was asked for.
    """

    name: str
    collection: str
    when: np.datetime64
    longitude: float
    platform: str
    sensor: str
    bands: Mapping[str, Source]


def band_names(item: Item) -> dict[str, str]:
    """Common names of an item's assets of one band: name -> asset key."""
    found: dict[str, str] = {}
    for key, asset in item.get("assets", {}).items():
        listed = asset.get("eo:bands") or asset.get("bands") or []
        if len(listed) == 1:
            name = listed[0].get("common_name") or listed[0].get("eo:common_name")
            if name:
                found.setdefault(str(name), key)
    return found


def quality_of(item: Item, asked: str | None) -> str | None:
    """Key of the quality asset; None where none is asked for, or "auto" finds none."""
    assets = item.get("assets", {})
    if asked != "auto":
        return asked
    for key in assets:
        if quality_layout(str(item.get("collection", "")), key):
            return str(key)
    return None


def scenes(items: Iterable[Item], bands: Sequence[str]) -> list[Scene]:
    """Read items; in the order of time and id.

    Parameters
    ----------
    items : iterable of dict
        GeoJSON.
    bands : sequence of str
        Asset keys or common names.

    Raises
    ------
    DataError
        A band that an item lacks (the message says what it has), or an item that is none.
    """
    return sorted(
        (_scene(item, bands) for item in items), key=lambda scene: (scene.when, scene.name)
    )


def _scene(item: Item, bands: Sequence[str]) -> Scene:
    try:
        name, properties = str(item["id"]), dict(item.get("properties") or {})
        assets = dict(item["assets"])
        box = [float(n) for n in item["bbox"]]
        said = properties.get("datetime") or properties["start_datetime"]
        when = np.datetime64(str(said).replace("Z", "").split("+")[0], "ns")
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(
            f"item {item.get('id')!r} is no STAC item: it "
            f"needs id, bbox, datetime and assets ({type(error).__name__}: {error})"
        ) from error
    collection, common = str(item.get("collection") or ""), band_names(item)
    platform = str(properties.get("platform") or "").lower()
    made = {}
    for band in bands:
        key = band if band in assets else common.get(band)
        if key is None:
            raise DataError(
                f"item {name!r} has no asset or band {band!r}; it has {', '.join(sorted(assets))}"
                + (f" (common names: {', '.join(sorted(common))})" if common else "")
            )
        asset = assets[key]
        made[band] = Source(
            Asset(name, key, str(asset.get("href", ""))),
            1,
            packing_of(asset, key, collection, properties),
            frame_of(asset, properties),
        )
    middle = (box[0] + box[len(box) // 2]) / 2
    return Scene(name, collection, when, middle, platform, sensor_of(platform)[0], made)


def packing_of(
    asset: Mapping[str, Any], key: str, collection: str, properties: Mapping[str, Any]
) -> Packing:
    """Read dtype, nodata, scale and offset of an asset: its own words first, then its product's.

    STAC 1.1 ``bands``, the raster extension's ``raster:bands``, or the asset itself.
    """
    if quality_layout(collection, key):
        return Packing(_said(asset, "data_type"), _number(asset, "nodata"), 1.0, 0.0)
    scale, offset = _number(asset, "scale"), _number(asset, "offset")
    known = product_of(collection, properties)
    nodata = _number(asset, "nodata")
    if known is not None:
        nodata = known.nodata if nodata is None else nodata
        if scale is None and _is_reflectance(asset):
            scale, offset = known.scale, known.offset
        if properties.get("earthsearch:boa_offset_applied"):
            offset = 0.0
    return Packing(_said(asset, "data_type"), nodata, scale, offset or 0.0)


def _is_reflectance(asset: Mapping[str, Any]) -> bool:
    """Thermal bands of the same products have another scale."""
    roles = " ".join(asset.get("roles") or [])
    listed = asset.get("eo:bands") or asset.get("bands") or [{}]
    name = str(listed[0].get("common_name") or listed[0].get("eo:common_name") or "")
    return "temperature" not in roles and not name.startswith(("lwir", "thermal"))


def _said(asset: Mapping[str, Any], key: str) -> Any:
    for place in ("raster:bands", "bands"):
        for band in (asset.get(place) or [])[:1]:
            for name in (key, f"raster:{key}"):
                if band.get(name) is not None:
                    return band[name]
    return asset.get(f"raster:{key}", asset.get(key))


def _number(asset: Mapping[str, Any], key: str) -> float | None:
    value = _said(asset, key)
    try:
        return None if value is None else float(value)
    except (TypeError, ValueError) as error:
        raise DataError(f"an asset says {key}={value!r}; wanted a number") from error


def rescaled(scene: Scene, names: Sequence[str], scale: tuple[float, float]) -> Scene:
    """Give the bands of a scene another scale and offset."""
    factor, offset = (float(n) for n in scale)
    bands = {
        name: replace(source, packing=replace(source.packing, scale=factor, offset=offset))
        if name in names
        else source
        for name, source in scene.bands.items()
    }
    return replace(scene, bands=bands)


def dates(found: Sequence[Scene], groupby: str, longitude: float) -> list[list[Scene]]:
    """Group scenes into dates.

    Parameters
    ----------
    found : sequence of Scene
        In the order of time.
    groupby : {"solar_day", "time", "id"}
    longitude : float
        Of the cube's middle, in degrees; a day begins at its midnight, to the hour.
    """
    shift = np.timedelta64(int(longitude / 15), "h")
    groups: dict[Any, list[Scene]] = {}
    for index, scene in enumerate(found):
        key = {
            "solar_day": (scene.when + shift).astype("datetime64[D]"),
            "time": scene.when,
            "id": index,
        }[groupby]
        groups.setdefault(key, []).append(scene)
    return [groups[key] for key in sorted(groups)]
