"""Quality bands of Landsat products: which pixels saw the ground.

Sources: USGS LSDS-1618/1619 (Collection 2 ``QA_PIXEL``), LSDS-1656 (Collection 1 ``pixel_qa`` and
``BQA``), Zhu & Woodcock 2012 (Fmask codes), Digital Earth Australia (``oa_fmask`` codes).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray


def _any_bit(values: NDArray[np.int64], *positions: int) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = (values & sum(1 << position for position in positions)) != 0
    return found


def _qa_pixel(values: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Decode Collection 2: 0 fill, 1 dilated cloud, 2 cirrus, 3 cloud, 4 cloud shadow."""
    return ~_any_bit(values, 0, 1, 2, 3, 4)


def _pixel_qa(values: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Decode Collection 1 surface reflectance: 0 fill, 3 cloud shadow, 5 cloud."""
    return ~_any_bit(values, 0, 3, 5)


def _bqa(values: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Decode Collection 1 level 1: 0 fill, 1 dropped, 4 cloud, 7-8 shadow, 11-12 cirrus."""
    shadow: NDArray[np.bool_] = (values >> 7) & 3 == 3
    cirrus: NDArray[np.bool_] = (values >> 11) & 3 == 3
    return ~(_any_bit(values, 0, 1, 4) | shadow | cirrus)


def _codes(*clear: int) -> Callable[[NDArray[np.int64]], NDArray[np.bool_]]:
    return lambda values: np.isin(values, clear)


_RULES: dict[str, Callable[[NDArray[np.int64]], NDArray[np.bool_]]] = {
    "qa_pixel": _qa_pixel,
    "pixel_qa": _pixel_qa,
    "bqa": _bqa,
    "fmask": _codes(0, 1, 3),
    "cfmask": _codes(0, 1, 3),
    "oa_fmask": _codes(1, 4, 5),
}

#: Other quality layers: never filled, never decoded.
_OTHER_QUALITY = frozenset(
    (
        "qa_radsat",
        "radsat_qa",
        "sr_cloud_qa",
        "cloud_qa",
        "sr_qa_aerosol",
        "sr_aerosol",
        "sr_atmos_opacity",
        "st_qa",
        "scl",
    )
)


def quality_rule(name: str) -> str | None:
    """Name the rule that decodes a quality variable, or None.

    Parameters
    ----------
    name : str
        Variable name in any case: ``QA_PIXEL`` (Collection 2), ``pixel_qa`` and ``BQA``
        (Collection 1), ``fmask``, ``cfmask`` (0 land, 1 water, 2 shadow, 3 snow, 4 cloud,
        255 fill) and ``oa_fmask`` (1 clear, 2 cloud, 3 shadow, 4 snow, 5 water).

    Examples
    --------
    >>> quality_rule("QA_PIXEL"), quality_rule("red")
    ('qa_pixel', None)
    """
    lower = name.lower()
    return lower if lower in _RULES else None


def is_quality(name: str) -> bool:
    """Whether a variable of this name holds quality flags, known to `quality_rule` or not."""
    lower = name.lower()
    return lower in _RULES or lower in _OTHER_QUALITY


def clear(values: NDArray[Any], rule: str) -> NDArray[np.bool_]:
    """Decode a quality band: true where the ground was seen (snow and water count as ground).

    Parameters
    ----------
    values : integer or float, any shape
        Raw flags. In a float array (a decoded ``_FillValue``) NaN is missing.
    rule : str
        From `quality_rule`.

    Returns
    -------
    bool, same shape
    """
    if values.dtype.kind == "f":
        finite: NDArray[np.bool_] = np.isfinite(values)
        return finite & _RULES[rule](np.where(finite, values, 0).astype(np.int64))
    return _RULES[rule](values.astype(np.int64))
