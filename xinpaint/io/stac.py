"""``open_stac``: from a STAC search to a lazy cube that ``ds.inpaint`` takes as it is."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Unpack

import numpy as np
import xarray as xr

from xinpaint.core import qa
from xinpaint.errors import DataError
from xinpaint.io import flags, labels
from xinpaint.io.grid import Grid, grid_of, reproject
from xinpaint.io.items import Scene, band_names, dates, quality_of, rescaled, scenes
from xinpaint.io.mosaic import Band, lazily
from xinpaint.io.options import How, Options, options
from xinpaint.io.probe import known, readable
from xinpaint.io.search import Item, keep, kept, search


def open_stac(
    source: str | os.PathLike[str] | Iterable[Any],
    *,
    bands: Sequence[str] | None = None,
    collection: str | Sequence[str] | None = None,
    bbox: Sequence[float] | None = None,
    datetime: str | None = None,
    filter: Mapping[str, Any] | str | None = None,
    **how: Unpack[How],
) -> xr.Dataset:
    """Open the items of a STAC search as a lazy cube.

    Parameters
    ----------
    source : str, path or iterable of items
        URL of a STAC API; or a GeoJSON file of items (such as `cache` wrote); or items
        themselves, as pystac objects or dicts.
    bands : sequence of str, optional
        Asset keys or common names (``red``, ``nir08``); one variable each. Every band with a
        common name where not given.
    collection : str or sequence of str, optional
        Ids.
    bbox : four floats, optional
        West, south, east, north in degrees: of the search and of the cube.
    datetime : str, optional
        Such as ``"2005/2006"``.
    filter : mapping or str, optional
        CQL2 (JSON or text), for example ``{"op": "<=", "args": [{"property": "eo:cloud_cover"},
        30]}``.
    **how
        Anything of `xinpaint.io.options.Options`: ``engine``, ``scale``, ``mask``,
        ``on_read_error``, ``patch_url``, ``cache`` ...

    Returns
    -------
    Dataset
        Dims (time, y, x), dask-backed, one date a chunk. A variable a band (float32 reflectance,
        NaN where there is nothing; or the files' dtype with ``_FillValue`` for ``scale=False``);
        where there is a quality asset ``observed`` (bool, which ``ds.inpaint`` takes up) and
        ``qa`` (uint16, CF flags); with ``on_read_error`` "mark" or "skip_date" ``read_failed``
        (CF flags, one bit a band). Coordinates: time (UTC of a date's first item), y, x (pixel
        centres), spatial_ref, and per date ``platform``, ``sensor`` and ``item``.

    Raises
    ------
    DataError
        Nothing found, an item that lacks a band, several coordinate systems; when computed:
        a file that cannot be read.
    RefusedError
        An address, file or size that is not let through.
    SchemaError
        An option that is not one.

    Examples
    --------
    >>> ds = xinpaint.open_stac(
    ...     "https://planetarycomputer.microsoft.com/api/stac/v1", collection="landsat-c2-l2",
    ...     bbox=(-76.3, 4.5, -76.2, 4.6), datetime="2005/2006", bands=["red", "nir08"],
    ...     patch_url=planetary_computer.sign,
    ... )  # doctest: +SKIP
    >>> ds.inpaint.convnp().to_zarr("filled.zarr")  # doctest: +SKIP
    """
    opts = options(dict(how))
    query = {
        "collections": [collection] if isinstance(collection, str) else collection,
        "bbox": None if bbox is None else [float(n) for n in bbox],
        "datetime": datetime,
        "filter": filter,
    }
    items = _items(source, {k: v for k, v in query.items() if v is not None}, opts)
    names = list(bands) if bands else list(band_names(items[0]))
    if not names:
        raise DataError(
            f"item {items[0]['id']!r} names no common bands; pass bands=[...] out of "
            f"{', '.join(items[0].get('assets', {}))}"
        )
    quality = quality_of(items[0], opts.quality)
    others = flags.wanted(items[0], quality, opts.mask)
    found = scenes(items, [*names, *others])
    access = opts.access()
    for scene in found:
        for place in scene.bands.values():
            access.guard.kind(place.asset.href)
    found = known(found, access)
    if isinstance(opts.scale, tuple):
        found = [rescaled(scene, names, opts.scale) for scene in found]
    grid = _grid(found, bbox, opts)
    access.guard.check_grid(*grid.shape)
    groups = dates(found, opts.groupby, _middle(grid))
    if opts.on_read_error == "skip_date":
        groups = readable(groups, access)
    return _cube(groups, names, others, grid, opts)


def _items(source: Any, query: dict[str, Any], opts: Options) -> list[Item]:
    """Items from an API, a file, or the caller's hands."""
    if not isinstance(source, str | os.PathLike):
        found = [item if isinstance(item, dict) else item.to_dict() for item in source]
        if not found:
            raise DataError(
                "found no items in what was given; wanted at least one: widen the search"
            )
        return found
    if not str(source).startswith(("http://", "https://")):
        items = kept(source, query) if Path(source).exists() else None
        if not items:
            raise DataError(
                f"{source} is neither a URL nor a GeoJSON file with items; give "
                "https://host/path, items, or what cache= wrote"
            )
        return items
    if opts.cache is not None and (items := kept(opts.cache, {"url": str(source), **query})):
        return items
    access = opts.access()
    found = search(
        str(source), query, guard=access.guard, timeout=opts.timeout, most=opts.max_items
    )
    if opts.cache is not None:
        keep(opts.cache, {"url": str(source), **query}, found)
    return found


def _grid(found: Sequence[Scene], bbox: Sequence[float] | None, opts: Options) -> Grid:
    frames = [s.frame for scene in found for s in scene.bands.values() if s.frame]
    return grid_of(frames, bbox=bbox, crs=opts.crs, resolution=opts.resolution)


def _middle(grid: Grid) -> float:
    west, _, east, _ = reproject(grid.bounds, grid.crs, "EPSG:4326")
    return (west + east) / 2


def _cube(
    groups: Sequence[Sequence[Scene]],
    names: Sequence[str],
    others: Mapping[str, str],
    grid: Grid,
    opts: Options,
) -> xr.Dataset:
    access, every = opts.access(), [scene for group in groups for scene in group]
    arrays: dict[str, Any] = {}
    failed: dict[str, Any] = {}
    packed: dict[str, Band] = {}
    for name in (*names, *others):
        packed[name] = _band(name, every, others.get(name), opts.scale)
        arrays[name], failed[name] = lazily(
            packed[name],
            [[scene.bands[name] for scene in group] for group in groups],
            grid,
            chunk=opts.chunks,
            engine=opts.engine,
            access=access,
            on_read_error=opts.on_read_error,
        )
    ds = labels.dataset(groups, grid)
    for name in names:
        ds[name] = labels.band(arrays[name], packed[name], every[0].bands[name].packing, grid)
    if opts.on_read_error != "raise":
        lost = flags.lost(names, failed, whole_date=opts.on_read_error == "skip_date")
        ds["read_failed"] = labels.variable(*lost, grid)
    first, height = packed[names[0]], grid.height
    for key, made in flags.masks(groups, arrays, others, first, opts, height=height).items():
        ds[key] = labels.variable(*made, grid)
    return ds


def _band(
    name: str, every: Sequence[Scene], layout: str | None, scale: bool | tuple[float, float]
) -> Band:
    """Agree on how a band is stored, over all items."""
    packings = [scene.bands[name].packing for scene in every]
    stored = np.result_type(*{str(p.dtype) for p in packings})
    if layout is not None:
        return Band(name, stored.str, stored.str, qa.FILL_VALUES[layout], False)
    empties = {p.nodata for p in packings if p.nodata is not None}
    if len(empties) > 1:
        raise DataError(
            f"items disagree on the nodata of {name!r}: {sorted(empties)}; open them apart"
        )
    nodata = empties.pop() if empties else 0.0
    if scale is False:
        kinds = {(p.scale, p.offset) for p in packings}
        if len(kinds) > 1:
            raise DataError(
                f"items disagree on scale and offset of {name!r}: {sorted(kinds, key=str)}; "
                "numbers as stored cannot be compared, so leave scale=True"
            )
        return Band(name, stored.str, stored.str, nodata, False)
    if any(p.scale is None for p in packings):
        raise DataError(
            f"nothing says the scale of {name!r} (no raster:bands, collection "
            f"{every[0].collection!r} not known): pass scale=(factor, offset), or scale=False to "
            "keep the numbers as stored"
        )
    return Band(name, stored.str, "<f4", nodata, True)
