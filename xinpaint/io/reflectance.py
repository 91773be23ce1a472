"""Numbers of a sensor as reflectance, or as they are with what they mean beside them.

Every source of cubes ends here, so that all have one schema: a scale is either applied, and nothing
of it is left, or not applied, and ``scale_factor`` and ``add_offset`` say so in the attributes.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import partial
from typing import Any

import dask.array
import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xinpaint.core import qa
from xinpaint.errors import SchemaError

da: Any = dask.array

Scale = tuple[float, float]


def reflect(values: NDArray[Any], scale: Scale, nodata: float | None) -> NDArray[np.float32]:
    """``factor * value + offset`` as float32, NaN where the value is nodata or not finite.

    Computed in float64 and rounded once.
    """
    missing = ~np.isfinite(values) if values.dtype.kind == "f" else np.zeros(values.shape, bool)
    if nodata is not None:
        missing |= values == nodata
    made = values * np.float64(scale[0]) + np.float64(scale[1])
    return np.where(missing, np.nan, made).astype(np.float32)


def band(
    name: str,
    dates: Sequence[Any],
    scales: Sequence[Scale | None],
    nodata: Sequence[float | None],
    *,
    reflectance: bool,
) -> xr.Variable:
    """One band of all dates as a lazy variable (time, y, x).

    Parameters
    ----------
    name : str
        For messages.
    dates : sequence of dask arrays ``[y x]``
    scales, nodata : sequences
        One entry a date; a scale is (factor, offset), None where nobody knows it.
    reflectance : bool
        Apply the scale: float32, NaN where missing. Otherwise, and where no scale is known, the
        numbers stay as they are.

    Raises
    ------
    SchemaError
        Where the scale of some dates is known and of others not, or nodata of numbers differs.
    """
    known = [scale for scale in scales if scale is not None]
    if reflectance and known:
        if len(known) < len(scales):
            raise SchemaError(
                f"{name}: the scale of {len(scales) - len(known)} of {len(scales)} dates is not "
                "known; pass scale=(factor, offset), or reflectance=False for the numbers as stored"
            )
        made = [
            values.map_blocks(
                reflect, scale, empty, dtype=np.float32, meta=np.empty((0, 0), np.float32)
            )
            for values, scale, empty in zip(dates, known, nodata, strict=True)
        ]
        return xr.Variable(("time", "y", "x"), da.stack(made), attributes(name))
    if len(set(nodata)) > 1:
        raise SchemaError(
            f"{name}: dates say nodata {sorted(set(nodata), key=str)}; wanted one value: take "
            "reflectance=True, or open the dates apart"
        )
    stacked = da.stack(list(dates))
    attrs: dict[str, Any] = {"long_name": name}
    if nodata[0] is not None and not np.isnan(nodata[0]):
        attrs["_FillValue"] = stacked.dtype.type(nodata[0])
    if known and len(set(scales)) == 1:
        attrs["scale_factor"], attrs["add_offset"] = known[0]
    return xr.Variable(("time", "y", "x"), stacked, attrs)


def attributes(name: str) -> dict[str, Any]:
    """Attributes of a band whose scale has been applied."""
    return {"long_name": f"reflectance of {name}", "units": "1"}


def observed(flags: Any, *, mask: Collection[str], dilate: int, edge: int = 0) -> xr.Variable:
    """Where the ground was seen, from lazy flags ``[t y x]`` of `xinpaint.core.qa`.

    Clouds and shadows are widened by `dilate` pixels, SLC gaps by `edge`.

    Raises
    ------
    SchemaError
        An unknown name in `mask`, or a width below 0.
    """
    look = partial(qa.observed, gaps=tuple(mask), dilate=dilate, edge=edge)
    look(np.zeros((1, 1), np.uint16))  # bad names speak now, not when pixels are read
    attrs = {
        "long_name": "the ground was seen, as the quality layer says",
        "gaps": " ".join(mask),
        "dilated_by_pixels": dilate,
    }
    seen = widely(look, flags, max(dilate, edge), np.bool_)
    return xr.Variable(("time", "y", "x"), seen, attrs)


def widely(rule: Any, array: Any, reach: int, dtype: Any) -> Any:
    """Apply a rule to blocks ``[t y x]`` widened by `reach` pixels; the chunks stay."""
    meta = np.empty((0, 0, 0), dtype)
    if not reach:
        return da.map_blocks(rule, array, dtype=dtype, meta=meta)
    depth = {
        axis: min(reach, array.shape[axis]) if axis and array.numblocks[axis] > 1 else 0
        for axis in range(3)
    }
    made = da.map_overlap(rule, array, depth=depth, boundary="none", dtype=dtype, meta=meta)
    return made.rechunk(array.chunks)
