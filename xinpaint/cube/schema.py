"""What a cube is made of: its dims, the bands to fill, and what of them was observed."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xinpaint.core.qa import is_quality
from xinpaint.core.task import Packing
from xinpaint.cube import bandnames, flags, masking
from xinpaint.cube.days import days_of
from xinpaint.cube.masking import Dims
from xinpaint.errors import SchemaError

#: What `observed=` and `where=` may be.
Mask = xr.DataArray | xr.Dataset | bool | None

#: Names of the dims that play each role.
NAMES = {
    "time": ("time", "t", "date"),
    "band": bandnames.DIMS,
    "y": ("y", "latitude", "lat", "northing"),
    "x": ("x", "longitude", "lon", "easting"),
}
_FLAG_KEYS = ("flag_values", "flag_masks", "flag_meanings")


@dataclass(frozen=True, eq=False)
class Layer:
    """One variable to fill.

    Parameters
    ----------
    name : str
        Its name in the Dataset.
    values : numpy or dask array ``[t b y x]``
        As the user gave it, in its own dtype.
    nodata : float or None
        The value that says "missing", beside NaN.
    observed, where : bool array ``[t b y x]`` or None
        What a mask or quality variable says; what the user wants filled.
    failed : bool array ``[t b y x]`` or None
        What could not be read: neither observed nor a gap.
    packing : Packing or None
        The integers that floats will be written as, if any.
    """

    name: Hashable
    values: Any
    nodata: float | None
    observed: Any | None = None
    where: Any | None = None
    failed: Any | None = None
    packing: Packing | None = None


@dataclass(frozen=True, eq=False)
class Group:
    """Variables of the same dims, filled together; `days` is float64 ``[t]``."""

    dims: Dims
    layers: tuple[Layer, ...]
    days: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Cube:
    """A Dataset read: itself, and the groups of variables to fill."""

    dataset: xr.Dataset
    groups: tuple[Group, ...]


def read(obj: xr.Dataset | xr.DataArray, *, observed: Mask = None, where: Mask = None) -> Cube:
    """Find dims, bands and masks of a cube; nothing lazy is computed.

    Parameters
    ----------
    obj : Dataset or DataArray
        One variable a band with dims (time, y, x), time optional; or an array with a band dim.
    observed : bool DataArray, Dataset or bool, optional
        True where a pixel was observed, on the cube's own grid. A pixel that holds nodata or NaN
        is missing whatever this says.
    where : bool DataArray, Dataset or bool, optional
        Which missing pixels to fill.

    Returns
    -------
    Cube

    Raises
    ------
    SchemaError
        Where dims, dtype, nodata or a mask do not fit; the message says what to change.
    """
    dataset = as_dataset(obj)
    if not dataset.data_vars:
        hint = ": bands among the coords go back with ds.reset_coords()" * bool(dataset.coords)
        raise SchemaError(f"found no variables; wanted one a band, with dims ((time,) y, x){hint}")
    axes = find_axes(dataset)
    masking.check_order(dataset, axes)
    names = _bands(dataset, axes)
    grouped: dict[Dims, list[Layer]] = {}
    for name in names:
        bandnames.check_flags(dataset, name, axes.get("band"))
        dims = _dims_of(dataset[name], axes)
        grouped.setdefault(dims, []).append(_layer(dataset, name, dims, observed, where))
    groups = tuple(
        Group(dims, tuple(layers), days_of(dataset, dims.time)) for dims, layers in grouped.items()
    )
    return Cube(dataset, groups)


def check_new(cube: Cube) -> None:
    """Raise SchemaError where a band was filled before: filled would pass as observed."""
    names = [str(layer.name) for group in cube.groups for layer in group.layers]
    beside = {name: (f"{name}_std", f"{name}_provenance") for name in names}
    made = [one for pair in beside.values() for one in pair if one in cube.dataset.variables]
    if made:
        before = [name for name, pair in beside.items() if set(pair) & set(made)]
        raise SchemaError(
            f"{', '.join(map(repr, made))} {'is' if len(made) == 1 else 'are'} there already, so "
            f"{', '.join(map(repr, before))} {'has' if len(before) == 1 else 'have'} been filled "
            "before; fill the cube that this was made from, or, where filled values may pass as "
            f"observed, drop them with ds.drop_vars({made})"
        )


def as_dataset(obj: xr.Dataset | xr.DataArray) -> xr.Dataset:
    """The Dataset, or an array as the only variable of one; no band holds scaled nodata."""
    if isinstance(obj, xr.Dataset):
        return masking.unscaled_nodata(obj)
    if not isinstance(obj, xr.DataArray):
        raise SchemaError(
            f"found {type(obj).__name__}; wanted an xarray Dataset (one variable a band) or "
            "DataArray with dims (time, band, y, x)"
        )
    name = "data" if obj.name is None else obj.name
    if name in obj.coords:
        raise SchemaError(f"the array is called {name!r} like one of its coords: .rename('band')")
    return masking.unscaled_nodata(obj.to_dataset(name=name))


def find_axes(dataset: xr.Dataset) -> dict[str, Hashable]:
    """Map time, band, y, x to the Dataset's dims, by name or by CF axis."""
    found: dict[str, Hashable] = {}
    for role, names in NAMES.items():
        matches = [d for d in dataset.dims if str(d).lower() in names]
        if not matches and role != "band":
            matches = [d for d in dataset.dims if _cf_axis(dataset, d) == role]
        if len(matches) > 1:
            raise SchemaError(
                f"found several dims that could be {role}: {matches}; rename all but one"
            )
        if matches:
            found[role] = matches[0]
    missing = [role for role in ("y", "x") if role not in found]
    if missing:
        raise SchemaError(
            f"found dims {list(dataset.dims)}, none of them {' or '.join(missing)}; "
            "rename the spatial dims to y and x with .rename"
        )
    for dim in found.values():
        if dataset.sizes[dim] == 0:
            raise SchemaError(f"dim {dim!r} is empty (size 0); check the selection made before")
    return found


def _cf_axis(dataset: xr.Dataset, dim: Hashable) -> str | None:
    attrs = dataset[dim].attrs if dim in dataset.coords else {}
    standard = str(attrs.get("standard_name", ""))
    for role, axis, names in (
        ("y", "Y", ("projection_y_coordinate", "latitude")),
        ("x", "X", ("projection_x_coordinate", "longitude")),
        ("time", "T", ("time",)),
    ):
        if attrs.get("axis") == axis or standard in names:
            return role
    return None


def _bands(dataset: xr.Dataset, axes: dict[str, Hashable]) -> list[Hashable]:
    """Names of the variables to fill; the others pass through."""
    spatial = {axes["y"], axes["x"]}
    names = []
    for name, array in dataset.data_vars.items():
        if not spatial <= set(array.dims) or _passes_through(dataset, name):
            continue
        if array.dtype.kind in "OcV":
            raise SchemaError(
                f"variable {name!r} has dtype {array.dtype}; wanted integers or floats: "
                f"convert it with .astype, or drop it"
            )
        if array.dtype.kind not in "iuf":
            continue
        names.append(name)
    if not names:
        raise SchemaError(
            f"found no band to fill among {list(dataset.data_vars)}; wanted at least one numeric "
            f"variable with dims {axes['y']!r} and {axes['x']!r} that is not a mask or flag"
        )
    return names


def _passes_through(dataset: xr.Dataset, name: Hashable) -> bool:
    array, text = dataset[name], str(name)
    if array.dtype == bool or is_quality(text) or any(key in array.attrs for key in _FLAG_KEYS):
        return True
    stems = (text.removesuffix(end) for end in ("_std", "_provenance") if text.endswith(end))
    return any(stem in dataset.variables for stem in stems)


def _dims_of(array: xr.DataArray, axes: dict[str, Hashable]) -> Dims:
    extra = [dim for dim in array.dims if dim not in axes.values()]
    if "sample" in extra:
        raise SchemaError(
            f"variable {array.name!r} holds {array.sizes['sample']} draws; wanted one at a time: "
            "select it with .isel(sample=0)"
        )
    if extra:
        dated = extra[0] in array.coords and array[extra[0]].dtype.kind == "M"
        role = "time" if dated else "band"
        raise SchemaError(
            f"variable {array.name!r} has dims {list(array.dims)}; {extra} is none of time, band, "
            f"y, x: select one entry of it with .isel, or rename it to {role}"
        )
    time, band = (axes.get(role) for role in ("time", "band"))
    return Dims(
        time if time in array.dims else None,
        band if band in array.dims else None,
        axes["y"],
        axes["x"],
    )


def _layer(dataset: xr.Dataset, name: Hashable, dims: Dims, observed: Mask, where: Mask) -> Layer:
    array = dataset[name]
    values = masking.canonical(array.variable, dims)
    if any(np.isnan(size) for size in values.shape):
        raise SchemaError(f"{name!r} has dask chunks of unknown size; .compute_chunk_sizes() first")
    nodata = masking.nodata_of(array)
    said = masking.resolve("observed", observed, array, dims)
    if said is None:
        said = flags.observed(dataset, array, dims)
    if array.dtype.kind in "iu" and nodata is None and said is None:
        raise SchemaError(masking.nothing_missing(array) + _no_band(dataset, name, dims))
    if isinstance(values, np.ndarray) and values.dtype.kind == "f" and np.isinf(values).any():
        raise SchemaError(
            f"{name!r} holds infinite values; replace them with NaN, for example with "
            f"ds[{str(name)!r}].where(np.isfinite(ds[{str(name)!r}]))"
        )
    wanted = masking.resolve("where", where, array, dims)
    lost, packing = flags.failed(dataset, array, dims), masking.packing_of(array)
    return Layer(name, values, nodata, said, wanted, lost, packing)


def _no_band(dataset: xr.Dataset, name: Hashable, dims: Dims) -> str:
    """What else to do with integers without dates beside bands with dates, such as heights."""
    dated = any(str(dim).lower() in NAMES["time"] for dim in dataset.dims)
    if dims.time is not None or not dated:
        return ""
    return f"; or, if it is no band to fill, leave it out with ds.drop_vars({str(name)!r})"
