"""Bits and codes of quality layers, product by product: tables only.

Sources: USGS LSDS-1618/1619 and LSDS-1337 (Collection 2 ``QA_PIXEL``, ``QA_RADSAT``), LSDS-1656 and
LSDS-1873 (Collection 1 ``pixel_qa``, ``BQA``, ``radsat_qa``), Zhu & Woodcock 2012 (Fmask codes),
Digital Earth Australia (``oa_fmask``), HLS user guide v2 (packed ``Fmask``), ESA Sentinel-2 level
2A product specification (``SCL``).
"""

from __future__ import annotations

import re

#: Where a sensor's bands sit in Collection 2 ``QA_RADSAT``; Collection 1 is one bit higher.
SATURATION_BITS: dict[str, dict[str, int]] = {
    "tm": {"blue": 0, "green": 1, "red": 2, "nir": 3, "swir1": 4, "thermal": 5, "swir2": 6},
    "oli": {
        "coastal": 0, "blue": 1, "green": 2, "red": 3, "nir": 4, "swir1": 5, "swir2": 6,
        "cirrus": 8,
    },
}  # fmt: skip
SATURATION_BITS["etm"] = {**SATURATION_BITS["tm"], "thermal_high": 8}

#: Class maps: code -> flag; None = ground without a flag. Other codes are fill.
CODES: dict[str, dict[int, str | None]] = {
    "fmask": {0: None, 1: "water", 2: "shadow", 3: "snow", 4: "cloud"},
    "oa_fmask": {1: None, 2: "cloud", 3: "shadow", 4: "snow", 5: "water"},
    "scl": {
        1: "saturated", 2: "terrain", 3: "shadow", 4: None, 5: None, 6: "water", 7: None,
        8: "cloud", 9: "cloud", 10: "cirrus", 11: "snow",
    },
}  # fmt: skip
CODES["cfmask"] = CODES["fmask"]

#: Packed layers: bit -> flag.
BITS: dict[str, dict[int, str]] = {
    "qa_pixel": {
        0: "fill", 1: "dilated_cloud", 2: "cirrus", 3: "cloud", 4: "shadow", 5: "snow", 7: "water",
    },
    "pixel_qa": {0: "fill", 2: "water", 3: "shadow", 4: "snow", 5: "cloud", 10: "terrain"},
    "bqa": {0: "fill", 1: "dropped", 4: "cloud"},
    "hls_fmask": {0: "cirrus", 1: "cloud", 2: "dilated_cloud", 3: "shadow", 4: "snow", 5: "water"},
    "qa_radsat": {9: "dropped", 11: "terrain"},
    "radsat_qa": {0: "fill"},
}  # fmt: skip
#: Packed layers: first bit of a two-bit confidence -> flag, set where the confidence is 3 (high).
HIGH: dict[str, dict[int, str]] = {
    "pixel_qa": {8: "cirrus"},
    "bqa": {7: "shadow", 9: "snow", 11: "cirrus"},
}
#: Before Collection 1 the ``BQA`` of OLI had confidences elsewhere; only it has values from here.
BEFORE_COLLECTIONS = 1 << 13
HIGH_BEFORE = {4: "water", 10: "snow", 12: "cirrus", 14: "cloud"}
#: What says saturation in layers that tell no single band.
RADSAT = {"qa_radsat": 0b1_0111_1111, "radsat_qa": 0b1110_1111_1110}

#: Layouts that say whether the ground was seen; the others add to them.
LAYOUTS = ("qa_pixel", "pixel_qa", "bqa", "fmask", "cfmask", "oa_fmask", "hls_fmask", "scl")

#: What a layer holds where there is nothing.
FILL_VALUES = {
    "qa_pixel": 1, "pixel_qa": 1, "bqa": 1, "fmask": 255, "cfmask": 255, "oa_fmask": 0,
    "hls_fmask": 255, "scl": 0, "qa_radsat": 0, "radsat_qa": 1,
}  # fmt: skip
#: Names, in lower case, of other quality layers: never filled, not read by themselves.
OTHER_QUALITY = re.compile(
    r"(^|_)(qa|qc)\d*(_|$)|quality|contiguity|^(msk|scl|state)_|(^|_)mask$|^udm"
    r"|^sr_(aerosol|atmos_opacity)$"
)
