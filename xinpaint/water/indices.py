"""Water indices: one formula and one source each. All are above 0 where there is open water."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float32]


def ndwi(green: Plane, nir: Plane) -> Plane:
    """Normalised difference water index, ``(green - nir) / (green + nir)``.

    Parameters
    ----------
    green, nir : float32, any shape
        Reflectance, or anything proportional to it. NaN is missing; below 0 counts as 0.

    Returns
    -------
    float32, same shape
        -1 to 1; NaN where a band is missing or both are 0.

    References
    ----------
    McFeeters 1996, International Journal of Remote Sensing 17(7), 1425-1432.
    """
    return _ratio(green, nir)


def mndwi(green: Plane, swir1: Plane) -> Plane:
    """Modified NDWI, ``(green - swir1) / (green + swir1)``: built-up land stays below 0.

    Parameters
    ----------
    green, swir1 : float32, any shape
        As in `ndwi`.

    Returns
    -------
    float32, same shape
        As in `ndwi`.

    References
    ----------
    Xu 2006, International Journal of Remote Sensing 27(14), 3025-3033.
    """
    return _ratio(green, swir1)


def red_swir(red: Plane, swir1: Plane) -> Plane:
    """Water index for stacks without green, ``(red - swir1) / (red + swir1)``.

    Parameters
    ----------
    red, swir1 : float32, any shape
        As in `ndwi`.

    Returns
    -------
    float32, same shape
        As in `ndwi`.

    References
    ----------
    Rogers & Kearney 2004, International Journal of Remote Sensing 25(12), 2317-2335.
    """
    return _ratio(red, swir1)


def awei_nsh(green: Plane, nir: Plane, swir1: Plane, swir2: Plane) -> Plane:
    """Automated water extraction index for scenes without much shadow.

    ``4 (green - swir1) - (0.25 nir + 2.75 swir2)``

    Parameters
    ----------
    green, nir, swir1, swir2 : float32, any shape
        Reflectance, 0 to 1. NaN is missing.

    Returns
    -------
    float32, same shape
        About -7 to 4; NaN where a band is missing.

    References
    ----------
    Feyisa et al. 2014, Remote Sensing of Environment 140, 23-35.
    """
    made = 4 * (green - swir1) - (0.25 * nir + 2.75 * swir2)
    return np.asarray(made, np.float32)


def awei_sh(blue: Plane, green: Plane, nir: Plane, swir1: Plane, swir2: Plane) -> Plane:
    """Automated water extraction index that keeps shadow and dark surfaces out.

    ``blue + 2.5 green - 1.5 (nir + swir1) - 0.25 swir2``. Snow and white roofs come out as water.

    Parameters
    ----------
    blue, green, nir, swir1, swir2 : float32, any shape
        Reflectance, 0 to 1. NaN is missing.

    Returns
    -------
    float32, same shape
        About -3 to 4; NaN where a band is missing.

    References
    ----------
    Feyisa et al. 2014, Remote Sensing of Environment 140, 23-35.
    """
    made = blue + 2.5 * green - 1.5 * (nir + swir1) - 0.25 * swir2
    return np.asarray(made, np.float32)


def _ratio(a: Plane, b: Plane) -> Plane:
    """Divide difference by sum; below 0 is an artefact of dark water and counts as 0."""
    a, b = np.maximum(a, 0), np.maximum(b, 0)
    total = a + b
    blank = np.full(total.shape, np.nan, np.float32)
    return np.asarray(np.divide(a - b, total, out=blank, where=total > 0), np.float32)


@dataclass(frozen=True)
class Index:
    """An index and what it needs.

    Parameters
    ----------
    function : callable
        Bands in, index out.
    bands : tuple of str
        Common names of the bands, in the function's order.
    span : (float, float)
        Where values fall; a histogram's ends.
    reflectance : bool
        Whether it needs reflectance of 0 to 1, not just something proportional to it.
    source : str
        Author and year.
    """

    function: Callable[..., Plane]
    bands: tuple[str, ...]
    span: tuple[float, float]
    reflectance: bool
    source: str


#: Every index by name.
INDICES: dict[str, Index] = {
    "ndwi": Index(ndwi, ("green", "nir"), (-1, 1), False, "McFeeters 1996"),
    "mndwi": Index(mndwi, ("green", "swir1"), (-1, 1), False, "Xu 2006"),
    "red_swir": Index(red_swir, ("red", "swir1"), (-1, 1), False, "Rogers & Kearney 2004"),
    "awei_nsh": Index(
        awei_nsh, ("green", "nir", "swir1", "swir2"), (-4, 2), True, "Feyisa et al. 2014"
    ),
    "awei_sh": Index(
        awei_sh, ("blue", "green", "nir", "swir1", "swir2"), (-2, 2), True, "Feyisa et al. 2014"
    ),
}

#: What "auto" tries, in this order: the first whose bands (and reflectance) are there.
AUTO = ("awei_sh", "mndwi", "ndwi", "red_swir")
