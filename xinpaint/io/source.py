"""The source of a fill job: opened anywhere by path, described without reading a pixel."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr
import zarr

from xinpaint.cube.schema import Cube
from xinpaint.errors import DataError, XinpaintError
from xinpaint.io.guard import clean
from xinpaint.io.objects import plain_url, unsaid, zarr_store

#: Encoding that says how values are packed, not how bytes are stored.
_STORAGE = (
    *("chunks", "preferred_chunks", "shards", "compressor", "compressors", "filters"),
    *("serializer", "source", "original_shape", "object_codec"),
)


def located(src: str | os.PathLike[str]) -> str:
    """A source as every worker finds it: an absolute path, or a URL without a secret in it.

    Raises
    ------
    DataError
        Where it is neither path nor URL.
    JobError
        Where the URL holds a user, password or query.
    """
    if isinstance(src, xr.Dataset | xr.DataArray):
        raise DataError(
            f"found {type(src).__name__} as the source; wanted the path or URL of a Zarr store: "
            "write it with .to_zarr(path) first, or fill it in memory or with dask by its .inpaint"
        )
    if not isinstance(src, str | os.PathLike):
        raise DataError(
            f"found {type(src).__name__} as the source; wanted the path or URL of a Zarr store"
        )
    scheme, there, rest = os.fspath(src).partition("://")
    if there and scheme not in ("file", "local"):
        return plain_url(os.fspath(src))
    return str(Path(rest if there else scheme).resolve())


def open_source(
    src: str, options: Mapping[str, Any] | None = None, *, chunks: Any = None
) -> xr.Dataset:
    """Open a Zarr store, consolidated or not; nothing is read but what describes it.

    Parameters
    ----------
    src : str
        Path, or URL that fsspec opens.
    options : mapping, optional
        What fsspec needs to open a URL.
    chunks : optional
        As in `xarray.open_zarr`; by default no dask.

    Raises
    ------
    DataError
        Where there is no Zarr store.
    """
    options = options or {}
    if "://" not in src and not os.path.exists(src):
        raise DataError(f"{src} is not there: give a Zarr store")
    store = zarr_store(src, options) if "://" in src else src
    try:
        group = zarr.open_group(store, mode="r")
        gathered = group.metadata.consolidated_metadata is not None
        opened: xr.Dataset = xr.open_zarr(
            store, decode_coords="all", chunks=chunks, consolidated=gathered
        )
    except XinpaintError:
        raise
    except Exception as error:  # each store raises its own
        told = unsaid(f"{type(error).__name__}: {error}", options)
        if Path(src).suffix.lower() in (".tif", ".tiff", ".jp2"):
            told += (
                "; an image is filled by the command xinpaint fill, or by "
                "rioxarray.open_rasterio(path, band_as_variable=True).inpaint"
            )
        raise DataError(f"{clean(src)} does not open as Zarr: {told}") from None
    return opened


def check_finished(src: str, raw: xr.Dataset) -> None:
    """Raise DataError where the source is itself what a fill job has not finished."""
    status = raw.variables.get("fill_status")
    if status is not None and status.attrs.get("complete") is False:
        raise DataError(
            f"{clean(src)} is the output of a fill job that is unfinished: run that again first"
        )


def header(raw: xr.Dataset) -> xr.Dataset:
    """The same cube with stand-ins of one chunk for what may be large; costs nothing to fill."""
    made = raw.copy()
    for name, variable in raw.variables.items():
        if name in raw.indexes or variable.ndim < 2:
            continue
        blank: Any = da
        data = blank.zeros(variable.shape, chunks=variable.shape, dtype=variable.dtype)
        stand_in = xr.Variable(variable.dims, data, variable.attrs, variable.encoding)
        made = (
            made.assign_coords({name: stand_in})
            if name in raw.coords
            else made.assign({name: stand_in})
        )
    return made


def gridded(names: xr.Dataset, cube: Cube) -> list[Hashable]:
    """Names of the variables that have both y and x, so are written block by block."""
    dims = cube.groups[0].dims
    return [name for name, v in names.variables.items() if {dims.y, dims.x} <= set(v.dims)]


def packing(variable: xr.Variable) -> dict[str, Any]:
    """A variable's encoding without chunks and codecs."""
    return {key: value for key, value in variable.encoding.items() if key not in _STORAGE}


def chunk_of(raw: xr.Dataset, name: Hashable) -> dict[Hashable, int]:
    """The chunk of a variable by dim; the whole size where the source says nothing."""
    variable = raw.variables[name]
    return dict(zip(variable.dims, variable.encoding.get("chunks") or variable.shape, strict=True))


def identity(raw: xr.Dataset, before: Mapping[str, Any] | None = None) -> dict[str, str]:
    """Hashes of the grid (coordinates) and of the source (what its variables are).

    Pixels are not looked at: a source whose values changed in place is taken for the same.
    `before` is what a store's job said: earlier versions counted Zarr 3's own fill value too.
    """
    grid = hashlib.sha256()
    for name in sorted(raw.coords, key=str):
        variable = raw.variables[name]
        told = _told(variable)[:-1]  # not how they are packed: a longer cube may count hours
        grid.update(json.dumps([str(name), told], default=str).encode())
        if variable.ndim < 2:
            values = np.asarray(variable.values)
            text = "\0".join(map(str, values.ravel())).encode() if _is_text(variable) else b""
            grid.update(text or np.ascontiguousarray(values).tobytes())
    sources = [
        digest({str(name): _told(v.variable, own_fill=own) for name, v in raw.data_vars.items()})
        for own in (False, True)
    ]
    there = (before or {}).get("source")
    return {"grid": grid.hexdigest(), "source": there if there in sources else sources[0]}


def digest(told: Any) -> str:
    """The sha256 of anything JSON can say, whatever the order of its keys."""
    return hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()


def _told(variable: xr.Variable, *, own_fill: bool = False) -> list[Any]:
    attrs = {str(key): str(value) for key, value in variable.attrs.items()}
    packed = {str(key): str(value) for key, value in packing(variable).items()}
    if not own_fill:  # of chunks that are not there; only Zarr 3 tells it from nodata
        packed.pop("fill_value", None)
    dims = [str(dim) for dim in variable.dims]
    if _is_text(variable):  # a longer name, which takes more bytes, is no other cube
        return [dims, list(variable.shape), "text", attrs, {}]
    return [dims, list(variable.shape), str(variable.dtype), attrs, packed]


def _is_text(variable: xr.Variable) -> bool:
    return variable.dtype.kind in "OUST"
