"""What is known of products by their names: sensor, scale, nodata, quality layer."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args

from xinpaint.core import landsat
from xinpaint.core.qa import Family


@dataclass(frozen=True)
class Product:
    """What holds for every reflectance band of a product; reflectance = DN * scale + offset.

    Sources: USGS Landsat Collection 2 level 2 science product guides (LSDS-1618, LSDS-1619), HLS
    user guide v2, ESA Sentinel-2 processing baseline 04.00, Digital Earth Australia ARD.
    """

    scale: float
    offset: float
    nodata: float


_PRODUCTS = (
    (r"landsat.*c2.*l2|landsat-c2l2-sr|l[a-z]0\dc02.*l2", Product(*landsat.SURFACE, 0)),
    (r"sentinel-?2.*l2a|s2_l2a", Product(1e-4, 0.0, 0)),
    (r"hls", Product(1e-4, 0.0, -9999)),
    (r"ga_(ls|s2)", Product(1e-4, 0.0, -999)),
)

#: Quality assets in the order they are looked for, in any case.
QUALITY = ("qa_pixel", "pixel_qa", "bqa", "oa_fmask", "cfmask", "fmask", "scl")

#: Imagers by their keys in `xinpaint.core.landsat.BANDS`, and Sentinel-2's.
IMAGERS = {
    "mss-early": "MSS", "mss": "MSS", "tm": "TM", "etm": "ETM+", "oli": "OLI", "msi": "MSI",
}  # fmt: skip
_LANDSAT = re.compile(r"l(?:andsat[-_]?|[a-z])0?([1-9])(?!\d)")


def product_of(collection: str, properties: Mapping[str, Any]) -> Product | None:
    """Find what is known of a collection by its name; None where nothing is.

    Parameters
    ----------
    collection : str
        The collection's id.
    properties : mapping
        Of one item: Sentinel-2 has an offset of −0.1 from processing baseline 04.00 on, unless
        the catalogue has taken it out already.

    Examples
    --------
    >>> product_of("landsat-c2-l2", {})
    Product(scale=2.75e-05, offset=-0.2, nodata=0)
    """
    matches = [p for pattern, p in _PRODUCTS if re.match(pattern, collection.lower())]
    if not matches:
        return None
    product = matches[0]
    if "sentinel" in collection.lower() and not properties.get("earthsearch:boa_offset_applied"):
        baseline = properties.get("s2:processing_baseline", properties.get("processing:version"))
        if str(baseline or "0") >= "04.00":
            return Product(product.scale, -0.1, product.nodata)
    return product


def sensor_of(platform: str) -> tuple[str, Family | None]:
    """Name the imager of a platform and its family; ``("", None)`` where it is not known.

    Examples
    --------
    >>> sensor_of("landsat-7"), sensor_of("Sentinel-2A")
    (('ETM+', 'etm'), ('MSI', 'msi'))
    """
    name = platform.lower()
    if found := _LANDSAT.match(name):
        key = landsat.sensor_of(int(found[1]))
    elif re.match(r"sentinel-?2", name):
        key = "msi"
    else:
        return "", None
    return IMAGERS[key], family_of(key)


def family_of(key: str) -> Family | None:
    """What `xinpaint.core.qa` calls a sensor whose quality layers have bits of their own.

    Parameters
    ----------
    key : str
        Of `IMAGERS`.
    """
    return next((family for family in get_args(Family) if family == key), None)


def quality_layout(collection: str, asset: str) -> str | None:
    """Name the layout of a quality asset (`xinpaint.core.qa.LAYOUTS`); None for other assets.

    Examples
    --------
    >>> quality_layout("HLSL30.v2.0", "Fmask"), quality_layout("landsat-c2-l2", "qa_pixel")
    ('hls_fmask', 'qa_pixel')
    """
    name = asset.lower()
    if name == "fmask" and collection.lower().startswith("hls"):
        return "hls_fmask"
    return name if name in QUALITY else None
