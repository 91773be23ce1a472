"""What a cube's own flag variables say of its pixels: which were observed, which failed to read."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import xarray as xr

from xinpaint.core.qa import clear, quality_rule
from xinpaint.cube import masking
from xinpaint.cube.masking import Dims


def observed(dataset: xr.Dataset, array: xr.DataArray, dims: Dims) -> Any | None:
    """What the bool variable ``observed``, or else a quality variable, says of a band.

    Parameters
    ----------
    dataset : Dataset
        The cube.
    array : DataArray
        One of its bands.
    dims : Dims
        The band's.

    Returns
    -------
    bool array ``[t b y x]`` or None
        Lazy where the variable is; None where the cube has neither.

    Raises
    ------
    SchemaError
        Where ``observed`` lies on another grid.
    """
    mask = dataset.get("observed")
    if mask is not None and mask.dtype == bool and {dims.y, dims.x} <= set(mask.dims):
        return masking.resolve("observed", mask, array, dims)
    for name, quality in (*dataset.data_vars.items(), *dataset.coords.items()):
        rule = quality_rule(str(name))
        fits = {dims.y, dims.x} <= set(quality.dims) <= set(array.dims)
        if rule is not None and quality.dtype.kind in "iuf" and fits:
            return _decode(quality, rule, array, dims)
    return None


def _decode(quality: xr.DataArray, rule: str, like: xr.DataArray, dims: Dims) -> Any:
    """Decode a quality variable to a bool array ``[t b y x]``, lazily where it is lazy."""
    raw = masking.canonical(quality.variable, dims)
    if isinstance(raw, np.ndarray):
        seen = clear(raw, rule)
    else:
        meta = np.empty((0,) * raw.ndim, bool)
        seen = raw.map_blocks(partial(clear, rule=rule), dtype=bool, meta=meta)
    return masking.broadcast(seen, like, dims)


def failed(dataset: xr.Dataset, array: xr.DataArray, dims: Dims) -> Any | None:
    """Read a band's bit of the flag variable ``read_failed``: bool ``[t b y x]``, None without."""
    flags = dataset.get("read_failed")
    if flags is None or flags.dtype.kind not in "iu":
        return None
    meanings = str(flags.attrs.get("flag_meanings", "")).split()
    if str(array.name) not in meanings or not {dims.y, dims.x} <= set(flags.dims):
        return None
    bits = np.atleast_1d(flags.attrs["flag_masks"])
    bit = int(bits[meanings.index(str(array.name))])
    return masking.resolve("read_failed", (flags & bit) != 0, array, dims)
