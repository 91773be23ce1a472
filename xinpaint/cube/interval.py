"""From a filled cube and its standard deviations to the ends of an interval."""

from __future__ import annotations

from typing import Any

import xarray as xr

from xinpaint.core.intervals import half_width
from xinpaint.errors import SchemaError

_KEPT = ("units", "scale_factor", "add_offset", "grid_mapping")


def interval(filled: xr.Dataset | xr.DataArray, level: float = 0.9) -> xr.Dataset:
    """Ends of the central interval that holds a share of the truth.

    Parameters
    ----------
    filled : Dataset
        With ``<band>`` and ``<band>_std``, as a method with a standard deviation gives them.
    level : float
        Share of the truth inside, between 0 and 1.

    Returns
    -------
    Dataset
        ``<band>_lower`` and ``<band>_upper``, float, in the band's unit and dims: the band itself
        where it was observed, NaN where nothing is known. Lazy where `filled` is.

    Raises
    ------
    SchemaError
        Where no band has a standard deviation.
    MethodError
        Where `level` is not between 0 and 1.
    """
    half = half_width(level)
    known = [] if isinstance(filled, xr.DataArray) else list(filled.data_vars)
    bands = [name for name in known if f"{name}_std" in known]
    if not bands and "sample" in filled.dims:
        raise SchemaError(
            "found draws (dim sample); their intervals are their quantiles, such as "
            "filled.quantile([0.05, 0.95], 'sample'); wanted a fill without samples="
        )
    if not bands:
        raise SchemaError(
            f"found no <band>_std among {sorted(map(str, known))}; wanted a cube filled by a "
            "method that says how sure it is, such as ds.inpaint.convnp()"
        )
    made: dict[str, xr.DataArray] = {}
    for name in bands:
        band, std = filled[name], filled[f"{name}_std"]
        for end, side in (("lower", -1.0), ("upper", 1.0)):
            made[f"{name}_{end}"] = _labelled(band + std * (side * half), band, end, level)
    return xr.Dataset(made, coords=filled.coords, attrs=filled.attrs)


def _labelled(values: xr.DataArray, band: xr.DataArray, end: str, level: float) -> xr.DataArray:
    said: dict[str, Any] = {key: band.attrs[key] for key in _KEPT if key in band.attrs}
    told = {"long_name": f"{end} end of the central {level:.0%} interval of {band.name}"}
    made = values.transpose(*band.dims)
    made.attrs, made.encoding = said | told, {}
    if "grid_mapping" in band.encoding:
        made.encoding["grid_mapping"] = band.encoding["grid_mapping"]
    return made
