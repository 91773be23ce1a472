"""Bands found by their common names, and what makes their numbers reflectance."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xinpaint.core.qa import is_quality
from xinpaint.core.task import FILLED, OBSERVED
from xinpaint.cube import schema
from xinpaint.cube.bandnames import band_dim, labels, split
from xinpaint.cube.masking import Dims, packing_of
from xinpaint.cube.schema import Layer, Mask
from xinpaint.errors import SchemaError
from xinpaint.water.extent import Rule
from xinpaint.water.indices import AUTO, INDICES, Index

#: Common name -> what a variable (or an entry of the band dim) may be called, in any case.
ALIASES = {
    "blue": ("blue",),
    "green": ("green",),
    "red": ("red",),
    "nir": ("nir", "nir08"),
    "swir1": ("swir1", "swir16", "swir_1"),
    "swir2": ("swir2", "swir22", "swir_2"),
}
_SCALE = (
    "pass scale= and offset= (1e-4 and 0 for reflectance x 10,000; 2.75e-5 and -0.2 for Landsat "
    "Collection 2 level 2)"
)
_UNSCALED = (
    f"the net needs reflectance of 0 to 1; found integers without scale_factor: {_SCALE}, or take "
    "method='count'"
)


@dataclass(frozen=True)
class Scale:
    """Reflectance is ``value * factor + offset``; `known` where somebody said so.

    `doubtful` where the attributes of floats say so: arithmetic may have kept them.
    """

    factor: float
    offset: float
    known: bool
    doubtful: bool = False


@dataclass(frozen=True, eq=False)
class Spectra:
    """The bands an index needs, of one grid.

    Parameters
    ----------
    dataset : Dataset
        One variable a band.
    index : str
        Name of the index.
    dims : Dims
    days : float64 ``[t]``
    layers : tuple of Layer
        In the index's order.
    scales : tuple of Scale
        One a layer.
    """

    dataset: xr.Dataset
    index: str
    dims: Dims
    days: NDArray[np.float64]
    layers: tuple[Layer, ...]
    scales: tuple[Scale, ...]


def read(obj: xr.Dataset | xr.DataArray, rule: Rule, *, observed: Mask = None) -> Spectra:
    """Find the bands that an index needs; nothing lazy is computed.

    Parameters
    ----------
    obj : Dataset or DataArray
        One variable a band, or a band dim whose entries have names.
    rule : Rule
        Which index; "auto" takes the first of `AUTO` that the bands allow.
    observed : bool DataArray or Dataset, optional
        True where a pixel may be used. Without it ``<band>_provenance`` (observed or filled), else
        a quality variable, nodata and NaN decide.

    Raises
    ------
    SchemaError
        Where bands are missing, differ in dims, or have no scale though the index needs one.
    """
    dataset, observed = _split(obj, observed)
    found = _find(dataset.data_vars)
    name = _choose(dataset, found, rule, band_dim(obj))
    return _gather(dataset, [found[band] for band in INDICES[name].bands], rule, observed, name)


def read_bands(
    obj: xr.Dataset | xr.DataArray, wanted: Sequence[str], rule: Rule, *, observed: Mask = None
) -> Spectra:
    """Find named bands as reflectance; otherwise as `read`, and `index` is empty.

    Raises
    ------
    SchemaError
        Where a band is missing, or nothing says what makes integers reflectance.
    """
    dataset, observed = _split(obj, observed)
    found = _find(dataset.data_vars)
    if missing := [band for band in wanted if band not in found]:
        raise SchemaError(
            f"the net needs {', '.join(wanted)} as reflectance; found "
            f"{[str(name) for name in dataset.data_vars]}, missing {', '.join(missing)}: "
            f"{_rename(missing, band_dim(obj))}, or take method='count'"
        )
    names = [found[band] for band in wanted]
    unknown = [name for name in names if not scale_of(dataset[name], rule).known]
    if any(dataset[name].dtype.kind in "iu" for name in unknown):
        raise SchemaError(_UNSCALED)
    return _gather(dataset, names, rule, observed, "")


def check_decoded(spectra: Spectra) -> None:
    """Raise SchemaError where a band just opened is of integers that nothing scales.

    xarray made floats of them, and NaN of their nodata.
    """
    for layer, scale in zip(spectra.layers, spectra.scales, strict=True):
        if not scale.known and packing_of(spectra.dataset[layer.name]) is not None:
            raise SchemaError(_UNSCALED)


def _split(obj: xr.Dataset | xr.DataArray, observed: Mask) -> tuple[xr.Dataset, Mask]:
    """One variable a band, of the cube and of what was observed."""
    dataset = _split_bands(schema.as_dataset(obj))
    if isinstance(observed, xr.DataArray | xr.Dataset) and band_dim(observed) is not None:
        observed = _split_bands(schema.as_dataset(observed))
    return dataset, observed


def _gather(
    dataset: xr.Dataset, bands: Sequence[Hashable], rule: Rule, observed: Mask, index: str
) -> Spectra:
    groups = [_group(dataset, band, observed) for band in bands]
    dims = groups[0].dims
    if any(group.dims != dims for group in groups):
        listed = {str(band): dataset[band].dims for band in bands}
        raise SchemaError(f"bands differ in dims: {listed}; bring them to the same ones")
    scales = tuple(scale_of(dataset[band], rule) for band in bands)
    layers = tuple(group.layers[0] for group in groups)
    return Spectra(dataset, index, dims, groups[0].days, layers, scales)


def scale_of(array: xr.DataArray, rule: Rule) -> Scale:
    """What turns an array's numbers into reflectance, each scale applied once.

    `scale_factor` and `add_offset` in the attributes wait to be applied. In the encoding they do so
    only for integers: a float was decoded when the file was opened. The rule's own come first.
    """
    (factor, offset), packed = _said(array, array.attrs), _said(array, array.encoding)
    known = (factor, offset) != (1.0, 0.0) or packed != (1.0, 0.0)
    if (factor, offset) == (1.0, 0.0) and array.dtype.kind in "iu":
        factor, offset = packed
    if rule.scale is None and rule.offset is None:
        return Scale(factor, offset, known, array.dtype.kind == "f" and (factor, offset) != (1, 0))
    return Scale(
        factor if rule.scale is None else rule.scale,
        offset if rule.offset is None else rule.offset,
        known or rule.scale is not None,
    )


def _said(array: xr.DataArray, place: Mapping[Any, Any]) -> tuple[float, float]:
    try:
        return float(place.get("scale_factor", 1.0)), float(place.get("add_offset", 0.0))
    except (TypeError, ValueError) as error:
        raise SchemaError(
            f"{array.name!r} has scale_factor={place.get('scale_factor')!r} and "
            f"add_offset={place.get('add_offset')!r}; wanted numbers: set them in "
            f"ds[{str(array.name)!r}].attrs, or pass scale= and offset="
        ) from error


def _find(names: Iterable[Hashable]) -> dict[str, Hashable]:
    """Map common names to variables; the first alias that is there counts."""
    lower = {str(name).lower(): name for name in names}
    return {
        band: next(lower[alias] for alias in aliases if alias in lower)
        for band, aliases in ALIASES.items()
        if any(alias in lower for alias in aliases)
    }


def _choose(
    dataset: xr.Dataset, found: Mapping[str, Hashable], rule: Rule, dim: Hashable | None
) -> str:
    names = [str(name) for name in dataset.data_vars]
    if rule.index == "auto":
        for name in AUTO:
            index = INDICES[name]
            if set(index.bands) <= set(found) and _has_scale(dataset, found, index, rule):
                return name
        wanted = "; ".join(f"{', '.join(INDICES[n].bands)} ({n})" for n in AUTO[1:])
        raise SchemaError(
            f"no water index fits: found {names}; wanted {wanted}; {_rename(['green'], dim)}"
        )
    index = INDICES[rule.index]
    missing = [band for band in index.bands if band not in found]
    if missing:
        raise SchemaError(
            f"{rule.index} needs {', '.join(index.bands)}; found {names}, missing "
            f"{', '.join(missing)}: {_rename(missing, dim)}, or take another index"
        )
    whole = any(dataset[found[band]].dtype.kind in "iu" for band in index.bands)
    if index.reflectance and whole and not _has_scale(dataset, found, index, rule):
        raise SchemaError(
            f"{rule.index} needs reflectance of 0 to 1; found integers without scale_factor: "
            f"{_SCALE}, or take index='mndwi'"
        )
    return rule.index


def _rename(missing: Sequence[str], dim: Hashable | None) -> str:
    """The call that gives bands their common names, with these still to be told."""
    if dim is None:
        told = ", ".join(f"'NAME HERE': {band!r}" for band in missing)
        return f"if they are there under other names, use ds.rename({{{told}}})"
    told = ", ".join(map(repr, missing))
    return (
        f"if they are there under other names, name all with .assign_coords({dim}=[{told}, ...]), "
        "in the order of the bands"
    )


def _has_scale(
    dataset: xr.Dataset, found: Mapping[str, Hashable], index: Index, rule: Rule
) -> bool:
    if not index.reflectance:
        return True
    return all(scale_of(dataset[found[band]], rule).known for band in index.bands)


def _group(dataset: xr.Dataset, band: Hashable, observed: Mask) -> schema.Group:
    """Read one band together with what says where it was seen."""
    code = f"{band}_provenance"
    if observed is None and code in dataset:
        observed = (dataset[code] == OBSERVED) | (dataset[code] == FILLED)
    said = ("observed", "read_failed")
    masks = [name for name in dataset.data_vars if is_quality(str(name)) or name in said]
    return schema.read(dataset[[band, *masks]], observed=observed).groups[0]


def _split_bands(dataset: xr.Dataset) -> xr.Dataset:
    """Make one variable of each entry of the band dim, which must have a name."""
    dim = band_dim(dataset)
    if dim is None:
        return dataset
    names = labels(dataset, dim)
    if names is None and dataset.sizes[dim] == 1:
        return dataset.isel({dim: 0}, drop=True)
    if names is None:
        raise SchemaError(
            f"the entries of {dim!r} have no names; assign them, for example "
            f"with .assign_coords({dim}=['green', 'swir1'])"
        )
    return split(dataset, dim, names)
