"""Masks on the cube's own grid, and the one rule that says what was observed."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xinpaint.core.task import Packing
from xinpaint.errors import SchemaError

#: What may say in attrs which value is missing; the first that is there counts.
NODATA_KEYS = ("_FillValue", "nodata", "missing_value", "fill_value")
_EMPTY = ("_FillValue", "missing_value")
#: What no sensor says in any unit, but fill values that no attribute names do: 1e20, 9.97e36.
LARGEST = 1e16


@dataclass(frozen=True)
class Dims:
    """Which dims of a variable are time, band, y and x; time and band may be missing."""

    time: Hashable | None
    band: Hashable | None
    y: Hashable
    x: Hashable

    @property
    def order(self) -> tuple[Hashable | None, ...]:
        """Time, band, y, x, with None for one that is missing."""
        return (self.time, self.band, self.y, self.x)

    @property
    def present(self) -> tuple[Hashable, ...]:
        """The dims that exist, in the order time, band, y, x."""
        return tuple(dim for dim in self.order if dim is not None)


def observed(
    values: NDArray[Any], said: NDArray[np.bool_] | None, nodata: float | None
) -> NDArray[np.bool_]:
    """Tell which pixels were observed: said so, finite, and not nodata.

    Parameters
    ----------
    values : any real dtype, any shape
        As the user gave them. What is infinite or beyond :data:`LARGEST` is missing.
    said : bool, same shape, or None
        What the user's mask or the quality band says.
    nodata : float or None

    Returns
    -------
    bool, same shape
    """
    seen = np.ones(values.shape, bool) if said is None else said.copy()
    with np.errstate(over="ignore"):  # float16 ends at 65504: what is beyond is infinite in it
        if values.dtype.kind == "f":
            seen &= np.abs(values) < LARGEST  # not so for NaN, either
        if nodata is not None and _fits(nodata, values.dtype):
            seen &= values != values.dtype.type(nodata)
    return seen


def _fits(nodata: float, dtype: np.dtype[Any]) -> bool:
    """Whether a value of this dtype can be nodata at all (-9999 never is in uint8)."""
    if dtype.kind == "f":
        return True
    info = np.iinfo(dtype)
    return float(nodata).is_integer() and info.min <= nodata <= info.max


def canonical(variable: xr.Variable, dims: Dims) -> Any:
    """Return the variable's numpy or dask array as ``[t b y x]``; a missing axis has length 1."""
    have = [dim for dim in dims.present if dim in variable.dims]
    data = variable.transpose(*have).data
    return data[tuple(slice(None) if dim in have else None for dim in dims.order)]


def resolve(role: str, mask: Any, like: xr.DataArray, dims: Dims) -> Any | None:
    """Bring a user's mask to ``[t b y x]`` on the grid of `like`; None stays None.

    Raises
    ------
    SchemaError
        Where it is not bool, lacks the variable, or lies on another grid.
    """
    if mask is None:
        return None
    if isinstance(mask, bool | np.bool_):
        mask = xr.DataArray(np.asarray(bool(mask)))
    if isinstance(mask, xr.Dataset):
        if like.name not in mask.data_vars:
            raise SchemaError(
                f"{role}= has no variable {like.name!r}, only {list(mask.data_vars)}; add it, or "
                "pass one DataArray for all bands"
            )
        mask = mask[like.name]
    if not isinstance(mask, xr.DataArray):
        raise SchemaError(
            f"{role}= is {type(mask).__name__}; wanted a bool DataArray or Dataset on the cube's "
            "grid, or True"
        )
    if mask.dtype != bool:
        raise SchemaError(
            f"{role}= has dtype {mask.dtype}; wanted bool: compare it first, for example "
            f"{role}=(mask == 1)"
        )
    _check_grid(role, mask, like)
    return broadcast(canonical(mask.variable, dims), like, dims)


def broadcast(data: Any, like: xr.DataArray, dims: Dims) -> Any:
    """Repeat an array ``[t b y x]`` along the axes of `like` that it lacks; lazily where lazy."""
    shape = tuple(1 if dim is None else like.sizes[dim] for dim in dims.order)
    if data.shape == shape:
        return data
    if isinstance(data, np.ndarray):
        return np.broadcast_to(data, shape)
    import dask.array as da

    return da.broadcast_to(data, shape)


def _check_grid(role: str, mask: xr.DataArray, like: xr.DataArray) -> None:
    for dim in mask.dims:
        if dim not in like.dims:
            raise SchemaError(
                f"{role}= has a dim {dim!r} that {like.name!r} lacks (it has {list(like.dims)}); "
                "rename or select it"
            )
        if mask.sizes[dim] != like.sizes[dim]:
            raise SchemaError(
                f"{role}= has {mask.sizes[dim]} entries along {dim!r}, {like.name!r} has "
                f"{like.sizes[dim]}; bring it to the cube's grid, for example with "
                ".reindex_like(ds, fill_value=False)"
            )
        if dim in mask.coords and dim in like.coords and not same(mask[dim], like[dim]):
            theirs, ours = mask[dim].values, like[dim].values
            k = int(np.argmax(theirs != ours))
            raise SchemaError(
                f"{role}= is on another grid: entry {k} of coordinate {dim!r} is {theirs[k]}, that "
                f"of {like.name!r} {ours[k]}; bring it to the cube's grid, for example with "
                ".reindex_like(ds, fill_value=False), or by reprojecting it"
            )


def check_order(dataset: xr.Dataset, axes: Mapping[str, Hashable]) -> None:
    """Raise SchemaError where rows or columns are not in the order of their coordinate."""
    for dim in (axes["y"], axes["x"]):
        if dim not in dataset.coords or dataset[dim].dtype.kind not in "iuf":
            continue
        steps = np.diff(dataset[dim].values.astype(np.float64))
        if (steps > 0).any() and (steps < 0).any():
            raise SchemaError(
                f"coordinate {dim!r} goes up and down, so neighbours are not beside each other: "
                f"ds.sortby({str(dim)!r})"
            )


def same(a: xr.DataArray, b: xr.DataArray) -> bool:
    """Whether two coordinates are the same, numbers to a thousandth of a step."""
    left, right = a.values, b.values
    if left.dtype.kind in "iuf" and right.dtype.kind in "iuf":
        step = abs(float(right[1]) - float(right[0])) if right.size > 1 else 1.0
        return bool(np.allclose(left, right, rtol=0, atol=1e-3 * step))
    return bool(np.array_equal(left, right))


def packing_of(array: xr.DataArray) -> Packing | None:
    """How a decoded float array will be packed when written, from its encoding."""
    told = array.encoding
    dtype = np.dtype(told.get("dtype", array.dtype))
    if array.dtype.kind != "f" or dtype.kind not in "iu":
        return None
    empty = next((told[key] for key in _EMPTY if told.get(key) is not None), None)
    factor, offset = told.get("scale_factor", 1.0), told.get("add_offset", 0.0)
    nodata = None if empty is None else float(np.asarray(empty).reshape(-1)[0])
    return Packing(dtype.str, float(factor), float(offset), nodata)


def nodata_of(array: xr.DataArray) -> float | None:
    """Find the value that says missing in the values as they are in memory.

    An encoding's ``_FillValue`` on floats was decoded to NaN already, so only attrs count there.
    Nor does an encoding's ``fill_value``: Zarr 3 gives every array one, 0 where nobody chose.
    What an integer type cannot hold, such as -9999 in uint16, says nothing.
    """
    if _scaling_of(array) is not None:
        return None  # it says which stored number is missing: see `unscaled_nodata`
    places = [array.attrs] if array.dtype.kind == "f" else [array.attrs, array.encoding]
    for number in (number for place in places for number in _told(array, place)):
        if not np.isnan(number) and _holds(array.dtype, number):
            return number
    return None


def unscaled_nodata(dataset: xr.Dataset) -> xr.Dataset:
    """Make NaN of nodata that was scaled like a value, as xarray makes of ``_FillValue``.

    Decoding moves ``scale_factor`` and ``add_offset`` into the encoding and leaves ``nodata`` among
    the attributes: it says -9999 while its pixels became -0.9999. Where the encoding has no
    ``_FillValue`` it gets this number, so that writing packs NaN as it was.
    """
    changed = {}
    for name, array in dataset.data_vars.items():
        packing = _scaling_of(array)
        if packing is None:
            continue
        dtype = np.dtype(packing.dtype)
        told = [number for number in _told(array, array.attrs) if _holds(dtype, number)]
        if told:
            seen = array.variable.where(~_was(array.variable, packing, told[0]))
            seen.attrs, seen.encoding = dict(array.attrs), dict(array.encoding)
            if packing.nodata is None:
                seen.encoding["_FillValue"] = dtype.type(told[0])
            changed[name] = seen
    return dataset.assign(changed) if changed else dataset


def _was(values: xr.Variable, packing: Packing, number: float) -> xr.Variable:
    """Where values were this integer before they were scaled, to float32's rounding, or still are.

    They can still be it, where no integer decodes to it: floats with an encoding set by hand.
    """
    stored = (values.astype(np.float64) - packing.offset) / packing.factor
    step = max(0.25, 4 * float(np.finfo(np.float32).eps) * abs(number))
    scaled = abs(stored - number) <= step
    whole = (number - packing.offset) / packing.factor
    is_value = _holds(np.dtype(packing.dtype), float(np.rint(whole)))
    return scaled if is_value else scaled | (values == number)


def _scaling_of(array: xr.DataArray) -> Packing | None:
    """How floats were scaled when they were decoded; None where they were not."""
    packing = packing_of(array)
    scaled = packing is not None and (packing.factor, packing.offset) != (1.0, 0.0)
    return packing if scaled else None


def _told(array: xr.DataArray, place: Mapping[Hashable, Any]) -> Iterator[float]:
    """Every number that attrs or an encoding give for missing."""
    for key in NODATA_KEYS if place is array.attrs else NODATA_KEYS[:-1]:
        value = place.get(key)
        if value is None:
            continue
        try:
            several = np.unique(np.asarray(value).astype(np.float64))
            first = float(several[0])
        except (TypeError, ValueError, IndexError) as error:
            raise SchemaError(
                f"{array.name!r} says {key}={value!r}; wanted one number: set "
                f"ds[{str(array.name)!r}].attrs[{key!r}], or remove it there and in .encoding"
            ) from error
        if len(several) > 1:
            raise SchemaError(
                f"{array.name!r} says {key}={value!r}, {len(several)} numbers; wanted one: remove "
                "it from attrs and encoding, and say with observed= what was seen, for example "
                f"observed=~ds[{str(array.name)!r}].isin({several.tolist()})"
            )
        yield first


def nothing_missing(array: xr.DataArray) -> str:
    """Say that nothing tells which of an array's integers are missing, and what would."""
    least, most = np.iinfo(array.dtype).min, np.iinfo(array.dtype).max
    told = {key: array.attrs[key] for key in NODATA_KEYS if key in array.attrs}
    told |= {key: array.encoding[key] for key in NODATA_KEYS[:-1] if key in array.encoding}
    found = "nothing says which are missing"
    if told:
        key, value = next(iter(told.items()))
        found = f"its {key} = {value} is none of these, so {found}"
    return (
        f"{array.name!r} holds integers ({array.dtype}: {least} to {most}), but {found}; set "
        f"ds[{str(array.name)!r}].attrs['nodata'] to a value in that range, or pass observed="
    )


def _holds(dtype: np.dtype[Any], number: float) -> bool:
    """Whether a pixel of this type can have this value."""
    if dtype.kind not in "iu":
        return True
    return number.is_integer() and np.iinfo(dtype).min <= number <= np.iinfo(dtype).max
