"""What the entries of a band dim are called, and what such names forbid."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import xarray as xr

from xinpaint.core.qa import is_quality
from xinpaint.errors import SchemaError

#: What the dim may be called, in any case.
DIMS = ("band", "bands", "channel")


def band_dim(obj: xr.Dataset | xr.DataArray) -> Hashable | None:
    """Name of the band dim, or None."""
    return next((dim for dim in obj.dims if str(dim).lower() in DIMS), None)


def labels(dataset: xr.Dataset, dim: Hashable) -> list[str] | None:
    """Names of the bands: the dim's coordinate, or the descriptions of a GeoTIFF's bands."""
    if dim in dataset.coords and dataset[dim].dtype.kind not in "iufb":
        return [str(label) for label in dataset[dim].values]
    size = dataset.sizes[dim]
    for array in dataset.data_vars.values():
        described = array.attrs.get("long_name")
        if dim in array.dims and isinstance(described, list | tuple) and len(described) == size:
            return [str(label) for label in described]
    return None


def check_unique(dim: Hashable, names: Sequence[str]) -> None:
    """Raise SchemaError where two entries of a band dim have one name."""
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise SchemaError(
            f"{dim!r} has more than one entry called {', '.join(map(repr, doubled))}; wanted one "
            f"of each name: .drop_duplicates({str(dim)!r}), or rename them with "
            f".assign_coords({dim}=[...])"
        )


def check_flags(dataset: xr.Dataset, name: Hashable, dim: Hashable | None) -> None:
    """Raise SchemaError where an entry of a variable's band dim holds quality flags, not values."""
    if dim is None or dim not in dataset[name].dims:
        return
    found = labels(dataset, dim) or []
    flags = [label for label in found if is_quality(label)]
    if not flags:
        return
    own = dim in dataset.coords and dataset[dim].dtype.kind not in "iufb"
    array = "array" if own else f"array.assign_coords({dim}={found})"
    raise SchemaError(
        f"entry {', '.join(map(repr, flags))} of {dim!r} holds quality flags, and in an array they "
        f"would be filled like values: ds = {array}.to_dataset({str(dim)!r}) makes them a variable "
        f"that tells what was observed; or leave them out with {array}.drop_sel({dim}={flags})"
    )


def split(dataset: xr.Dataset, dim: Hashable, names: Sequence[str]) -> xr.Dataset:
    """Make one variable of each entry of a band dim; ``x_provenance`` becomes theirs as well.

    Raises
    ------
    SchemaError
        Where a name is there twice, or several variables have the dim.
    """
    check_unique(dim, names)
    made = dataset.drop_dims([dim])
    of_bands = [name for name, coord in dataset.coords.items() if dim in coord.dims]
    for name, array in dataset.drop_vars(of_bands).data_vars.items():
        if dim not in array.dims:
            continue
        ending = next((e for e in ("_std", "_provenance") if str(name).endswith(e)), "")
        new = [f"{label}{ending}" for label in names]
        if set(new) & set(made.data_vars):
            raise SchemaError(
                f"several variables have the dim {dim!r}, {name!r} too; select one, such as "
                f"ds[[{str(name)!r}]]"
            )
        for position, full in enumerate(new):
            made[full] = array.isel({dim: position})
    return made
