"""Labels of the JRC's Global Surface Water: GeoTIFF tiles onto a cube's grid."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any, Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xinpaint.cube import schema
from xinpaint.errors import DataError, SchemaError
from xinpaint.water.counts import PERMANENT, SEASONAL, from_jrc
from xinpaint.water.extent import NO_DATA, NOT_WATER

Kind = Literal["yearly_history", "seasonality"]
Tiles = str | os.PathLike[str] | Iterable[Any]


def jrc_labels(
    tiles: Tiles,
    like: xr.Dataset | xr.DataArray,
    *,
    kind: Kind = "yearly_history",
    asset: str = "seasonality",
) -> xr.DataArray:
    """Classes of water from tiles of Global Surface Water, on the grid of a cube.

    Parameters
    ----------
    tiles : path, address or STAC item, or several
        GeoTIFF tiles that cover the cube or a part of it, in any coordinate system; of a STAC item
        (collection ``jrc-gsw``) the asset below is taken.
    like : Dataset or DataArray
        Its grid and coordinate system (``spatial_ref``, or as rioxarray has it) are taken over.
    kind : {"yearly_history", "seasonality"}
        What the numbers mean: codes of the YearlyHistory (0 no data, 1 not water, 2 seasonal, 3
        permanent), or how many months of the year had water (0 to 12; 255 no data).
    asset : str
        Key of the asset of STAC items.

    Returns
    -------
    DataArray
        ``seasonality`` (y, x), uint8: 0 not water, 1 seasonal, 2 permanent, 255 no data, which is
        also what no tile covers. The nearest pixel is taken: classes do not mix.

    Raises
    ------
    DataError
        If a tile cannot be read, or holds other numbers than its kind.
    SchemaError
        If the cube has no coordinate system, or there is no tile.

    References
    ----------
    Pekel et al. 2016, Nature 540, 418-422.

    Examples
    --------
    >>> labels = jrc_labels("yearlyHistory2015-0000000000.tif", ds)  # doctest: +SKIP
    """
    import rioxarray  # noqa: F401  (registers .rio)

    dataset = schema.as_dataset(like)
    axes = schema.find_axes(dataset)
    ready = dataset.rio.set_spatial_dims(x_dim=axes["x"], y_dim=axes["y"])
    if ready.rio.crs is None:
        raise SchemaError(
            "the cube has no coordinate system; write one with ds.rio.write_crs('EPSG:32755')"
        )
    hrefs = _hrefs(tiles, asset)
    codes = on_grid(hrefs, ready.rio.crs, ready.rio.transform(), ready.rio.shape, kind)
    plane = (axes["y"], axes["x"])
    coords = {n: c for n, c in dataset.coords.items() if set(c.dims) <= set(plane)}
    attrs = {
        "long_name": "water seasonality",
        "source": "JRC Global Surface Water",
        "references": "Pekel et al. 2016",
        "flag_values": np.array([NOT_WATER, SEASONAL, PERMANENT, NO_DATA], np.uint8),
        "flag_meanings": "not_water seasonal permanent no_data",
    }
    return xr.DataArray(codes, coords, plane, "seasonality", attrs)


def on_grid(
    hrefs: Iterable[str], crs: Any, transform: Any, shape: tuple[int, int], kind: Kind
) -> NDArray[np.uint8]:
    """Classes ``[y x]`` of tiles on a grid; see `jrc_labels`. The first tile that knows counts."""
    import rasterio
    from rasterio.enums import Resampling
    from rasterio.errors import RasterioError
    from rasterio.warp import reproject

    made = np.full(shape, NO_DATA, np.uint8)
    for href in hrefs:
        part = np.full(shape, NO_DATA, np.uint8)
        try:
            with rasterio.open(href, driver="GTiff") as tile:
                classes = _classes(tile.read(1), kind, href)
                reproject(
                    classes,
                    part,
                    src_transform=tile.transform,
                    src_crs=tile.crs,
                    src_nodata=NO_DATA,
                    dst_transform=transform,
                    dst_crs=crs,
                    dst_nodata=NO_DATA,
                    resampling=Resampling.nearest,
                )
        except RasterioError as error:
            raise DataError(f"cannot read {href} as a GeoTIFF tile: {error}") from error
        made = np.where(made == NO_DATA, part, made)
    return made


def _classes(values: NDArray[Any], kind: Kind, href: str) -> NDArray[np.uint8]:
    most = {"yearly_history": 3, "seasonality": 12}
    if kind not in most:
        raise DataError(f"kind={kind!r}; wanted one of {list(most)}")
    gone = values == NO_DATA
    if strange := sorted({int(v) for v in np.unique(values[~gone]) if not 0 <= v <= most[kind]}):
        raise DataError(
            f"{href} holds {strange[:5]}; {kind} has 0 to {most[kind]}: is it another product?"
        )
    if kind == "yearly_history":
        return from_jrc(np.where(gone, 0, values).astype(np.uint8))
    made = np.full(values.shape, SEASONAL, np.uint8)
    made[values == 0], made[values == 12], made[gone] = NOT_WATER, PERMANENT, NO_DATA
    return made


def _hrefs(tiles: Tiles, asset: str) -> list[str]:
    several = [tiles] if isinstance(tiles, str | os.PathLike | Mapping) else list(tiles)
    if not several:
        raise SchemaError("found no tile; wanted at least one path, address or STAC item")
    return [_href(tile, asset) for tile in several]


def _href(tile: Any, asset: str) -> str:
    if isinstance(tile, str | os.PathLike):
        return os.fspath(tile)
    assets = tile["assets"] if isinstance(tile, Mapping) else getattr(tile, "assets", {})
    if asset not in assets:
        raise SchemaError(f"the item has assets {sorted(assets)}, no {asset!r}: name one of them")
    found = assets[asset]
    return str(found["href"] if isinstance(found, Mapping) else found.href)
