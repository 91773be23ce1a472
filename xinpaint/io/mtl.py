"""A Landsat product's metadata file (``_MTL.txt`` or ``.json``): what each band's numbers mean.

Sources: USGS LSDS-1656 and LSDS-1618/1619 (format, and ``(mult * DN + add) / sin(sun elevation)``
for level 1), LSDS-1328 (level 2).
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from xinpaint.core import landsat
from xinpaint.errors import DataError

#: Where the coefficients stand. Level-2 files hold level 1's as well, under the same keys.
_LEVEL_2 = "LEVEL2_SURFACE_REFLECTANCE_PARAMETERS"
_LEVEL_1 = ("LEVEL1_RADIOMETRIC_RESCALING", "RADIOMETRIC_RESCALING")
_ABOUT = ("PRODUCT_CONTENTS", "PRODUCT_METADATA", "METADATA_FILE_INFO")
_IMAGE = ("IMAGE_ATTRIBUTES", "PRODUCT_METADATA")
_FILE = re.compile(r"FILE_NAME_(?:BAND_(?P<band>\d)\Z|(?P<quality>\w+)\Z)")

Groups = dict[str, dict[str, str]]


@dataclass(frozen=True)
class Product:
    """One Landsat product.

    Parameters
    ----------
    name : str
        Its product id.
    satellite : int
        1 to 9.
    sensor : str
        A key of `xinpaint.core.landsat.BANDS`.
    level : str
        Such as L1TP or L2SP.
    time : datetime64[ns]
        Of the scene's centre, UTC.
    scales : dict of str to (factor, offset)
        Reflectance is ``factor * DN + offset``; the sun's height is in it. By common name.
    files : dict of str to str
        File names by common name or quality layer.
    """

    name: str
    satellite: int
    sensor: str
    level: str
    time: np.datetime64
    scales: dict[str, tuple[float, float]]
    files: dict[str, str]


def read(path: Path) -> Product:
    """Read a metadata file.

    Raises
    ------
    DataError
        Where it is missing, is none, or lacks what tells sensor and date.
    """
    groups = parse(path)
    spacecraft = _find(groups, path, _IMAGE, "SPACECRAFT_ID")
    digits = re.sub(r"\D", "", spacecraft)
    if digits not in set("123456789"):
        raise DataError(f"{path.name} says SPACECRAFT_ID = {spacecraft!r}; wanted LANDSAT_1 to 9")
    satellite = int(digits)
    sensor = landsat.sensor_of(satellite, _find(groups, path, _IMAGE, "SENSOR_ID"))
    level = _first(groups, _ABOUT, "PROCESSING_LEVEL") or _first(groups, _ABOUT, "DATA_TYPE")
    name = _first(groups, _ABOUT, "LANDSAT_PRODUCT_ID") or _first(
        groups, _ABOUT, "LANDSAT_SCENE_ID"
    )
    return Product(
        name or path.stem.removesuffix("_MTL"),
        satellite,
        sensor,
        level or "L1",
        _time(groups, path),
        _scales(groups, path, sensor, level or "L1"),
        _files(groups, sensor),
    )


def parse(path: Path) -> Groups:
    """Read the groups of a metadata file: group -> key -> value, as they are written.

    Raises
    ------
    DataError
        Where it is missing or no metadata file.
    """
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    if path.suffix.lower() == ".json":
        return _parse_json(path, text)
    groups: Groups = {}
    stack: list[str] = []
    for line in text.splitlines():
        key, found, value = (part.strip() for part in line.partition("="))
        if key == "END":
            break
        if key == "GROUP":
            stack.append(value)
            groups.setdefault(value, {})
        elif key == "END_GROUP" and stack:
            stack.pop()
        elif found and stack:
            groups[stack[-1]][key] = value.strip('"')
    if not any(name.endswith("METADATA_FILE") for name in groups):
        raise DataError(
            f"{path} is no Landsat metadata: found no 'GROUP = ..._METADATA_FILE'; give the "
            "product's own _MTL.txt or _MTL.json"
        )
    return groups


def _parse_json(path: Path, text: str) -> Groups:
    try:
        found: Any = json.loads(text)
        (root,) = (v for k, v in found.items() if k.endswith("METADATA_FILE"))
        return {
            str(name): {str(key): str(value) for key, value in members.items()}
            for name, members in root.items()
        }
    except (ValueError, AttributeError) as error:
        raise DataError(
            f"{path} is no Landsat metadata ({error}): give the product's own _MTL.json"
        ) from error


def _first(groups: Groups, names: tuple[str, ...], key: str) -> str:
    return next((groups[n][key] for n in names if key in groups.get(n, {})), "")


def _find(groups: Groups, path: Path, names: tuple[str, ...], key: str) -> str:
    found = _first(groups, names, key)
    if not found:
        raise DataError(f"{path.name} lacks {key} in {' or '.join(names)}: fetch it again")
    return found


def _time(groups: Groups, path: Path) -> np.datetime64:
    day = _find(groups, path, _IMAGE, "DATE_ACQUIRED")
    clock = _first(groups, _IMAGE, "SCENE_CENTER_TIME").rstrip("Z") or "00:00:00"
    try:
        return np.datetime64(f"{day}T{clock}", "ns")
    except ValueError as error:
        raise DataError(
            f"{path.name} says {day} {clock}; wanted a date and a time: fetch it again"
        ) from error


def _scales(groups: Groups, path: Path, sensor: str, level: str) -> dict[str, tuple[float, float]]:
    """Coefficients by common name; none where the file has none."""
    is_level_2 = level.upper().startswith("L2")
    group = next((g for g in ((_LEVEL_2,) if is_level_2 else _LEVEL_1) if g in groups), "")
    said = groups.get(group, {})
    try:
        made = {
            common: (
                float(said[f"REFLECTANCE_MULT_BAND_{band}"]),
                float(said[f"REFLECTANCE_ADD_BAND_{band}"]),
            )
            for band, common in landsat.BANDS[sensor].items()
            if f"REFLECTANCE_MULT_BAND_{band}" in said
        }
        if is_level_2 or not made:
            return made
        height = float(_find(groups, path, _IMAGE, "SUN_ELEVATION"))
    except (KeyError, ValueError) as error:
        raise DataError(f"{path.name}: {group} is damaged ({error}): fetch it again") from error
    if not 0 < height <= 90:
        raise DataError(
            f"{path.name} says SUN_ELEVATION = {height}; wanted 0 to 90: taken at night, so leave "
            "this scene out"
        )
    sine = math.sin(math.radians(height))
    return {name: (factor / sine, offset / sine) for name, (factor, offset) in made.items()}


def _files(groups: Groups, sensor: str) -> dict[str, str]:
    made = {}
    for key, value in (item for name in _ABOUT for item in groups.get(name, {}).items()):
        match = _FILE.match(key)
        if match is None:
            continue
        if match["band"] in landsat.BANDS[sensor]:
            made[landsat.BANDS[sensor][match["band"]]] = value
        elif match["quality"] and match["quality"].lower() in landsat.QUALITY:
            made[landsat.QUALITY[match["quality"].lower()]] = value
    # one file's name is not a path
    return {layer: Path(value).name for layer, value in made.items()}
