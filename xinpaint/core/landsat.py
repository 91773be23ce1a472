"""What Landsat's band numbers mean, sensor by sensor, and what its product names say.

Sources: USGS LSDS-1618, LSDS-1619 (Collection 2 products), LSDS-1656 (Collection 1); ESPA guide.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

#: Bands of reflected light by sensor: band number -> common name (as STAC has them).
BANDS: dict[str, dict[str, str]] = {
    "mss-early": {"4": "green", "5": "red", "6": "nir08", "7": "nir09"},
    "mss": {"1": "green", "2": "red", "3": "nir08", "4": "nir09"},
    "tm": {"1": "blue", "2": "green", "3": "red", "4": "nir08", "5": "swir16", "7": "swir22"},
    "oli": {
        "1": "coastal", "2": "blue", "3": "green", "4": "red", "5": "nir08", "6": "swir16",
        "7": "swir22",
    },
}  # fmt: skip
BANDS["etm"] = BANDS["tm"]

#: Factor and offset of Collection 2's surface reflectance.
SURFACE = (2.75e-5, -0.2)

#: Names that others give these bands -> common name.
SYNONYMS = {
    "nir": "nir08", "swir1": "swir16", "swir_1": "swir16", "swir2": "swir22", "swir_2": "swir22",
}  # fmt: skip

#: Endings of quality layers' files, and their keys in Collection 2's metadata -> layer.
QUALITY = {
    "qa_pixel": "qa_pixel", "quality_l1_pixel": "qa_pixel", "qa_radsat": "qa_radsat",
    "quality_l1_radiometric_saturation": "qa_radsat", "pixel_qa": "pixel_qa",
    "radsat_qa": "radsat_qa", "bqa": "bqa", "band_quality": "bqa", "fmask": "fmask",
    "cfmask": "cfmask",
}  # fmt: skip

#: Endings of further layers of a product, which are no band of reflected light.
_OTHERS = re.compile(
    r"_(?:qa|(?:sr_)?cloud_qa|st_qa|qa_aerosol|sr_(?:qa_)?aerosol|(?:sr_)?atmos_opacity|[sv][az]a"
    r"|st_[a-z]+|(?:b|band)(?:\d\d|6_vcid_\d)|solar_zenith|sensor_zenith)\Z",
    re.IGNORECASE,
)
_NAME = re.compile(
    r"L(?P<sensor>[COTEM])(?P<satellite>0[1-9])_(?P<level>L\d[A-Z]{2})_\d{6}_(?P<date>\d{8})_\d{8}"
    r"_(?P<collection>0[12])_\w{2}",
    re.IGNORECASE,
)
_BAND = re.compile(r"_(?P<kind>s[rt]_b|sr_band|toa_band|b)(?P<band>\d)\Z", re.IGNORECASE)


@dataclass(frozen=True)
class Name:
    """What a product's name says of it."""

    satellite: int
    sensor: str
    level: str
    collection: int
    day: np.datetime64


def sensor_of(satellite: int, sensor: str = "") -> str:
    """The key of `BANDS` for a satellite's number and the sensor that its metadata names.

    Examples
    --------
    >>> sensor_of(7, "ETM"), sensor_of(5, "TM"), sensor_of(9, "OLI_TIRS"), sensor_of(2, "MSS")
    ('etm', 'tm', 'oli', 'mss-early')
    """
    if satellite >= 8:
        return "oli"
    if satellite == 7:
        return "etm"
    if satellite <= 3:
        return "mss-early"
    return "mss" if sensor.upper().startswith("M") else "tm"


def read_name(name: str) -> Name | None:
    """Read a product's name, wherever in a file's name it stands; None where there is none.

    Examples
    --------
    >>> read_name("LE07_L2SP_007059_20050104_20200914_02_T1_SR_B3").level
    'L2SP'
    """
    found = _NAME.search(name)
    if found is None:
        return None
    satellite, date = int(found["satellite"]), found["date"]
    return Name(
        satellite,
        sensor_of(satellite, found["sensor"]),
        found["level"].upper(),
        int(found["collection"]),
        np.datetime64(f"{date[:4]}-{date[4:6]}-{date[6:]}", "ns"),
    )


def split_ending(stem: str) -> tuple[str, str, str] | None:
    """Split a file's stem into product, kind of layer and its name; None where nothing is known.

    The kind is "b" (level 1), "sr_b" (Collection 2 reflectance), "st_b" (its temperature),
    "sr_band", "toa_band" (those of Collection 1), "quality" or "other".

    Examples
    --------
    >>> split_ending("LE07_L2SP_007059_20050104_20200914_02_T1_SR_B3")[1:]
    ('sr_b', '3')
    >>> split_ending("scene_pixel_qa")
    ('scene', 'quality', 'pixel_qa')
    """
    if found := _BAND.search(stem):
        return stem[: found.start()], found["kind"].lower(), found["band"]
    words = stem.lower().split("_")
    for length in (2, 1):
        ending = "_".join(words[-length:])
        if len(words) > length and ending in QUALITY:
            return stem[: -len(ending) - 1], "quality", QUALITY[ending]
    if other := _OTHERS.search(stem):
        return stem[: other.start()], "other", other[0][1:].lower()
    return None
