"""Labels meet arrays: a cube in, the same cube with its gaps filled out."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xinpaint.cube import lazily, masking, notices, schema
from xinpaint.cube.calendar import suited
from xinpaint.cube.masking import Dims
from xinpaint.cube.region import Block, Plan, fill_block, outputs
from xinpaint.cube.schema import Cube, Group, Layer, Mask
from xinpaint.methods.base import Filler
from xinpaint.version import __version__

_FLAGS = {
    "flag_values": np.arange(5, dtype=np.uint8),
    "flag_meanings": "outside observed filled not_filled read_failed",
}


def inpaint(
    obj: xr.Dataset | xr.DataArray,
    filler: Filler,
    *,
    name: str,
    observed: Mask = None,
    where: Mask = None,
) -> xr.Dataset:
    """Fill the gaps of a cube.

    Parameters
    ----------
    obj : Dataset or DataArray
        One variable a band with dims (time, y, x), time optional; or an array with a band dim.
        numpy- or dask-backed; never changed.
    filler : Filler
        The method. Its optional attributes `has_std` (bool) and `attrs` (dict of str) say whether
        it yields a standard deviation, and what to write into the output's attrs.
    name : str
        The method's name, for the output's attrs.
    observed : bool DataArray, Dataset or bool, optional
        True where a pixel was observed. Without it the cube's own bool variable ``observed``
        decides, or else a quality variable (QA_PIXEL, pixel_qa, cfmask, SCL), beside nodata and
        NaN, which are always missing.
    where : bool DataArray, Dataset or bool, optional
        Which missing pixels to fill. By default those that context surrounds: observed pixels
        within 64 pixels (anywhere, for methods that use the whole plane) on three of the four
        sides or, in more than a thin line, on two opposite ones; or, for methods that look along
        time, on one of the other dates they may look at.

    Returns
    -------
    Dataset
        Lazy where `obj` is. Each band in its own dtype and unit, with ``<band>_provenance`` (uint8:
        0 outside, 1 observed, 2 filled, 3 not filled, 4 read failed, as the cube's flag variable
        ``read_failed`` says) and, where the method has one, ``<band>_std`` (float32, the band's
        unit; 0 where observed, NaN where unknown). Observed pixels, coords, attrs, encoding and
        chunks are those of `obj`.

    Warns
    -----
    UserWarning
        For a numpy array: where a band says nothing of what is missing, yet many of its pixels hold
        one least value such as 0; where nothing of a band was observed on a date or filled there.

    Raises
    ------
    SchemaError
        Where the cube or a mask does not fit. An infinite value raises in a numpy array; in a
        dask array, which is not looked at beforehand, it counts as missing.

    Examples
    --------
    >>> from xinpaint.methods.table import METHODS
    >>> ds = xinpaint.tutorial.open_cube(dates=1, size=48)
    >>> inpaint(ds[["red"]], METHODS["telea"](radius=3), name="telea").attrs["xinpaint_method"]
    'telea'
    """
    cube = schema.read(obj, observed=observed, where=where)
    schema.check_new(cube)
    filler = suited(cube, filler)
    made: dict[Hashable, dict[str, xr.Variable]] = {}
    for group in cube.groups:
        for layer, arrays in zip(group.layers, _fill_group(group, filler), strict=True):
            order = cube.dataset[layer.name].dims
            made[layer.name] = {
                key: as_variable(group.dims, order, data) for key, data in arrays.items()
            }
    notices.warn(cube, made)
    return _label(cube, made, _method_attrs(filler, name))


def gaps(obj: xr.Dataset | xr.DataArray, *, observed: Mask = None) -> xr.Dataset:
    """Find what is missing: a lazy bool Dataset whose mean is the missing fraction of each band.

    Parameters
    ----------
    obj, observed
        As in `inpaint`.

    Returns
    -------
    Dataset
        The bands, true where a pixel is missing; the coords of `obj`.

    Raises
    ------
    SchemaError
        Where the cube or the mask does not fit.
    """
    cube = schema.read(obj, observed=observed)
    found: dict[Hashable, xr.Variable] = {}
    for group in cube.groups:
        for layer in group.layers:
            seen = _observed(layer)
            found[layer.name] = as_variable(group.dims, cube.dataset[layer.name].dims, ~seen)
            found[layer.name].attrs = {"long_name": f"missing pixels of {layer.name}"}
    return xr.Dataset(found, coords=cube.dataset.coords)


def _observed(layer: Layer) -> Any:
    if isinstance(layer.values, np.ndarray):
        said = None if layer.observed is None else np.asarray(layer.observed)
        return masking.observed(layer.values, said, layer.nodata)
    return lazily.observed(layer)


def planned(group: Group, filler: Filler) -> tuple[Plan, list[Any]]:
    """What every block of a group needs to know, and the masks ``[t b y x]`` that it points at."""
    masks: list[Any] = []

    def place(mask: Any | None) -> int | None:
        if mask is None:
            return None
        for index, known in enumerate(masks):
            if known is mask:
                return index
        masks.append(mask)
        return len(masks) - 1

    layers = group.layers
    plan = Plan(
        filler,
        tuple(layer.nodata for layer in layers),
        tuple(place(layer.observed) for layer in layers),
        tuple(place(layer.where) for layer in layers),
        tuple(place(layer.failed) for layer in layers),
        tuple(layer.packing for layer in layers),
    )
    return plan, masks


def fill_arrays(plan: Plan, block: Block) -> list[dict[str, NDArray[Any]]]:
    """Fill a block into new arrays, `xinpaint.cube.region.outputs` of each variable."""
    shape = tuple(part.stop - part.start for part in block.core)
    out = [
        {
            key: np.empty((shape[0], array.shape[1], *shape[1:]), dtype)
            for key, dtype in outputs(array.dtype, plan.has_std).items()
        }
        for array in block.values
    ]
    fill_block(plan, block, out)
    return out


def _fill_group(group: Group, filler: Filler) -> Sequence[dict[str, Any]]:
    """Fill the variables of one group; arrays ``[t b y x]``, lazy if any input is."""
    plan, masks = planned(group, filler)
    values = [layer.values for layer in group.layers]
    if not all(isinstance(array, np.ndarray) for array in (*values, *masks)):
        return lazily.fill(plan, values, masks, group.days)
    t, _, y, x = values[0].shape
    core = (slice(0, t), slice(0, y), slice(0, x))
    return fill_arrays(plan, Block(values, masks, group.days, (0, 0), core))


def as_variable(dims: Dims, order: Sequence[Hashable], data: Any) -> xr.Variable:
    """An array ``[t b y x]`` with the dims of a variable of the cube, in its order."""
    own = data[tuple(0 if dim is None else slice(None) for dim in dims.order)]
    return xr.Variable(dims.present, own).transpose(*order)


def _label(
    cube: Cube, made: dict[Hashable, dict[str, xr.Variable]], attrs: dict[str, str]
) -> xr.Dataset:
    variables: dict[Hashable, xr.Variable] = {}
    for name, old in cube.dataset.data_vars.items():
        if name not in made:
            variables[name] = old.variable.copy(deep=False)
            continue
        arrays = made[name]
        extra = [f"{name}_{key}" for key in ("std", "provenance") if key in arrays]
        band = arrays["values"]
        band.attrs, band.encoding = dict(old.attrs), dict(old.encoding)
        told = old.attrs.get("ancillary_variables", [])
        already = told.split() if isinstance(told, str) else map(str, np.atleast_1d(told))
        ours = {f"{name}_{key}" for key in ("std", "provenance")}  # of an earlier fill, left out
        there = [word for word in already if word in cube.dataset or word not in ours]
        band.attrs["ancillary_variables"] = " ".join(dict.fromkeys([*there, *extra]))
        variables[name] = band
        for key, full in (("std", f"{name}_std"), ("provenance", f"{name}_provenance")):
            if key in arrays:
                variables[full] = _ancillary(arrays[key], old, key)
    filled = xr.Dataset(
        variables, coords=cube.dataset.coords, attrs={**cube.dataset.attrs, **attrs}
    )
    filled.encoding = dict(cube.dataset.encoding)
    return filled


def _ancillary(variable: xr.Variable, band: xr.DataArray, kind: str) -> xr.Variable:
    """Label a band's std or provenance: the band's grid mapping, none of its packing."""
    for source, target in ((band.encoding, variable.encoding), (band.attrs, variable.attrs)):
        if "grid_mapping" in source:
            target["grid_mapping"] = source["grid_mapping"]
    if kind == "std":
        variable.attrs["long_name"] = f"standard deviation of {band.name}"
        variable.encoding["_FillValue"] = np.nan  # for a GeoTIFF; Zarr and netCDF know without
        # an undecoded cube is in packed units, and so is its std, which has no offset
        for key in ("units", "scale_factor"):
            if key in band.attrs:
                variable.attrs[key] = band.attrs[key]
    else:
        variable.attrs["long_name"] = f"provenance of {band.name}"
        variable.attrs.update(_FLAGS)
    return variable


def _method_attrs(filler: Filler, name: str) -> dict[str, str]:
    told = {"xinpaint_method": name, "xinpaint_version": __version__}
    told |= getattr(filler, "attrs", None) or {}
    limits = ("max_dates", "max_days") if filler.halo.t != 0 else ()
    limited = {name: getattr(filler, name, None) for name in limits}
    return told | {
        f"xinpaint_{k}": f"{most:.15g}" for k, most in limited.items() if most is not None
    }
