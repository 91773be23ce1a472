"""A cube as pictures need it: one variable a band, and which of them to draw."""

from __future__ import annotations

from collections.abc import Sequence

import xarray as xr

from xinpaint.core.qa import is_quality
from xinpaint.cube.bandnames import labels, split
from xinpaint.cube.schema import as_dataset, find_axes
from xinpaint.errors import SchemaError

_ADDED = ("_std", "_provenance")


def bandwise(obj: xr.Dataset | xr.DataArray) -> xr.Dataset:
    """One variable a band, of dims (..., y, x), whatever came.

    Parameters
    ----------
    obj : Dataset or DataArray
        A Dataset of bands, or an array ((time,) band, y, x), whose attributes each band gets, or
        what became of such an array when it was filled.

    Raises
    ------
    SchemaError
        If there are no dims y and x, or two bands have one name.
    """
    dataset = as_dataset(obj)
    dim = find_axes(dataset).get("band")
    if dim is None:
        return upright(dataset)
    names = labels(dataset, dim)
    if names is None:
        entries = (
            dataset[dim].values.tolist() if dim in dataset.coords else range(dataset.sizes[dim])
        )
        names = [str(entry) for entry in entries]
    return upright(split(dataset, dim, names))


def upright(dataset: xr.Dataset) -> xr.Dataset:
    """The same variables with their dims in the order (..., y, x).

    Raises
    ------
    SchemaError
        If there are no dims y and x.
    """
    axes = find_axes(dataset)
    return dataset.transpose(..., axes["y"], axes["x"])


def shown(cube: xr.Dataset, bands: Sequence[str] | str | None) -> Sequence[str]:
    """Names of the bands to draw: as asked for, else red, green and blue, else the first band.

    Raises
    ------
    SchemaError
        If none was asked for and there is none.
    """
    if bands is not None:
        return (bands,) if isinstance(bands, str) else bands
    if {"red", "green", "blue"} <= set(cube.data_vars):
        return ("red", "green", "blue")
    names = [str(n) for n in cube.data_vars if cube[n].ndim in (2, 3)]
    names = [n for n in names if not (n.endswith(_ADDED) or is_quality(n))]
    names = [n for n in names if cube[n].dtype.kind in "iuf"]
    if not names:
        raise SchemaError(
            f"found no band over ((time,) y, x) to draw among {sorted(map(str, cube.data_vars))}: "
            "select one entry of other dims with .isel"
        )
    return names[:1]


def check_count(bands: Sequence[str]) -> None:
    """Raise SchemaError where bands make no picture: neither three colours nor one grey."""
    if len(bands) not in (1, 3):
        raise SchemaError(
            f"found bands={list(bands)}, {len(bands)} names; wanted three, for red, green and "
            "blue, or one for a grey picture: change bands="
        )
