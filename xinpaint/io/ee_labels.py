"""Labels and numbers of an Earth Engine cube, after xee: bits whole, scale once, encoding clean."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xinpaint.core import qa
from xinpaint.core.sensors import family_of
from xinpaint.io import labels
from xinpaint.io import reflectance as scaling
from xinpaint.io.ee_request import Known
from xinpaint.io.grid import Grid


def labelled(
    raw: xr.Dataset,
    names: Mapping[str, str],
    about: Known,
    passes: Sequence[tuple[list[str], int]],
    grid: Grid,
    *,
    reflectance: bool,
    mask: Collection[str],
) -> xr.Dataset:
    """The bands by their common names, whole numbers whole, scale applied or said.

    Parameters
    ----------
    raw : Dataset
        What xee makes of the collection: float32 (time, y, x), NaN where masked.
    names : mapping of str to str
        Variable -> the collection's own band.
    about : Known
    passes : sequence of (ids of images, milliseconds since 1970)
        One entry a date.
    grid : Grid
    reflectance, mask
        As in `xinpaint.open_ee`.

    Raises
    ------
    SchemaError
        An unknown name in `mask`.
    """
    made: dict[str, xr.Variable] = {}
    for name, own in names.items():
        if own == about.quality:
            made[name] = _whole(raw[own].data, qa.FILL_VALUES[own.lower()], np.uint16, name)
        else:
            made[name] = _band(raw[own], name, about.scale, reflectance=reflectance)
    if about.quality:
        layout = about.quality.lower()
        fill = qa.FILL_VALUES[layout]
        layer = _whole(raw[about.quality].data, fill, np.uint16, layout).data
        options = {"dtype": np.uint16, "meta": np.empty((0, 0, 0), np.uint16)}
        flags = layer.map_blocks(qa.decode, layout, family=family_of(about.sensor), **options)
        made["observed"] = scaling.observed(flags, mask=mask, dilate=0)
        made["qa"] = xr.Variable(labels.DIMS, flags, qa.attributes())
    for variable in made.values():
        variable.encoding = {"grid_mapping": "spatial_ref"}
    when = np.array([stamp for _, stamp in passes], "datetime64[ms]").astype("datetime64[ns]")
    ids = [" ".join(name.rsplit("/", 1)[-1] for name in names) for names, _ in passes]
    who = labels.who(labels.landsat(about.satellite, about.sensor, name) for name in ids)
    return xr.Dataset(made, {"time": ("time", when), **who, **labels.coords(grid)})


def _band(
    array: xr.DataArray, name: str, scale: scaling.Scale | None, *, reflectance: bool
) -> xr.Variable:
    if reflectance and scale is not None:
        meta = np.empty((0, 0, 0), np.float32)
        data = array.data.map_blocks(scaling.reflect, scale, None, dtype=np.float32, meta=meta)
        return xr.Variable(labels.DIMS, data, scaling.attributes(name))
    dtype = _dtype(array.attrs.get("data_type", ""))
    if dtype is None:
        return xr.Variable(labels.DIMS, array.data, {"long_name": name})
    made = _whole(array.data, 0, dtype, name)
    made.attrs["_FillValue"] = np.dtype(dtype).type(0)
    if scale is not None and scale != (1.0, 0.0):
        made.attrs["scale_factor"], made.attrs["add_offset"] = scale
    return made


def _whole(data: Any, empty: int, dtype: Any, name: str) -> xr.Variable:
    """Whole numbers out of xee's float32, which holds those up to 2**24 without loss."""
    meta = np.empty((0, 0, 0), dtype)
    whole = data.map_blocks(_cast, empty, dtype, dtype=dtype, meta=meta)
    return xr.Variable(labels.DIMS, whole, {"long_name": name})


def _cast(values: NDArray[Any], empty: int, dtype: Any) -> NDArray[Any]:
    return np.where(np.isnan(values), empty, values).astype(dtype)


def _dtype(told: str) -> Any:
    """The smallest integers that hold a band, as Earth Engine describes it; None for others."""
    found = re.search(r"'precision': 'int', 'min': (-?\d+), 'max': (\d+)", told)
    if found is None or int(found[2]) >= 2**24:
        return None
    low, high = int(found[1]), int(found[2])
    return np.promote_types(np.min_scalar_type(low), np.min_scalar_type(high)).type
