"""``xinpaint fill`` of one GeoTIFF: as a whole, into GeoTIFF files or a Zarr store."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import warnings
from pathlib import Path
from typing import Any

import xarray as xr

from xinpaint.errors import DataError

#: Options of `fill` that cut a cube into blocks.
_BLOCKWISE = ("block", "shards", "dry_run", "workers", "scheduler", "retry_failed")
TIFF, ZARR = (".tif", ".tiff"), ("", ".zarr")


def is_tiff(place: Path | str) -> bool:
    """Whether a path or URL says that it is a GeoTIFF."""
    return Path(str(place)).suffix.lower() in TIFF


def check_cube(args: argparse.Namespace) -> None:
    """Raise DataError where a Zarr cube was to become GeoTIFF, or `--nodata` was given for it."""
    if is_tiff(args.dst):
        store = str(Path(str(args.dst)).with_suffix(".zarr"))
        raise DataError(
            f"{args.src} is a Zarr cube, which is filled into a Zarr store; give {store}, then "
            f"write one band of one date: ds = xinpaint.open_filled({store!r}); "
            f"ds[BAND].isel(time=0).rio.to_raster({str(args.dst)!r})"
        )
    if args.nodata is not None:
        raise DataError(
            "--nodata is for a GeoTIFF; a Zarr cube says it itself: set nodata in the attrs of "
            "each band"
        )


def fill_image(args: argparse.Namespace, options: dict[str, str]) -> int:
    """Fill a GeoTIFF and write what came of it.

    Raises
    ------
    DataError
        Where `dst` is there already or is neither GeoTIFF nor Zarr, or an option is for cubes.
    """
    from xinpaint.cube.inpaint import inpaint
    from xinpaint.io import geotiff
    from xinpaint.io.opening import open_path
    from xinpaint.io.weights import filler

    _check(args)
    method, image = filler(args.method, **options), open_path(args.src)
    _say_nodata(image, args)
    filled = inpaint(image, method, name=args.method)
    args.dst.parent.mkdir(parents=True, exist_ok=True)
    with _progress():
        if not is_tiff(args.dst):
            _write_zarr(filled, args.dst)
            print(f"wrote {args.dst}")
            return 0
        made = geotiff.write(filled, list(image.data_vars), args.src, args.dst)
    print("wrote", ", ".join(map(str, made)))
    print(_counted(made))
    return 0


def _counted(made: list[Path]) -> str:
    """How many values were filled and how many are still missing, and where that can be seen."""
    import numpy as np
    import rasterio

    from xinpaint.core.task import FILLED, OBSERVED

    path = next((path for path in made if path.stem.endswith("_provenance")), None)
    if path is None:
        return "nothing was missing"
    counts = np.zeros(256, np.int64)
    with rasterio.open(path) as image:
        for band in image.indexes:
            for _, window in image.block_windows(band):
                counts += np.bincount(image.read(band, window=window).ravel(), minlength=256)
    left = int(counts.sum() - counts[OBSERVED] - counts[FILLED])
    said = f"{counts[FILLED]:,} values filled, {left:,} still missing"
    return f"{said}: {path} says why (0 outside of what was seen, 3 not filled)" if left else said


def _check(args: argparse.Namespace) -> None:
    from xinpaint.io.geotiff import files_of

    if isinstance(args.dst, str):
        raise DataError(f"{args.dst}: a GeoTIFF is filled into a file or folder of this machine")
    if args.dst.suffix.lower() not in TIFF + ZARR:
        raise DataError(
            f"{args.dst}: give a name that ends in .tif (GeoTIFF) or .zarr (Zarr store)"
        )
    for path in files_of(args.dst).values() if is_tiff(args.dst) else [args.dst]:
        if path.exists():
            raise DataError(f"{path} exists: choose another path or remove it first")
    for name in _BLOCKWISE:
        if getattr(args, name) not in (None, False):
            raise DataError(
                f"--{name.replace('_', '-')} is for Zarr cubes, which are filled block by block; "
                f"{args.src} is filled as a whole: leave it out"
            )


def _say_nodata(image: xr.Dataset, args: argparse.Namespace) -> None:
    """Give bands that say no nodata that of the command line; refuse where none is left to say."""
    from xinpaint.cube.masking import nodata_of, nothing_missing

    silent = [band for band in image.data_vars.values() if nodata_of(band) is None]
    if args.nodata is not None and not silent:
        said = nodata_of(next(iter(image.data_vars.values())))
        raise DataError(f"{args.src} says itself that nodata is {said:g}: leave --nodata out")
    for band in silent:
        if args.nodata is not None:
            band.attrs["_FillValue"] = args.nodata
        if band.dtype.kind in "iu" and nodata_of(band) is None and not _has_quality(image):
            raise DataError(f"{nothing_missing(band)}; on the command line: --nodata VALUE")


def _has_quality(image: xr.Dataset) -> bool:
    from xinpaint.core.qa import quality_rule

    return any(quality_rule(str(name)) is not None for name in image.data_vars)


def _progress() -> Any:
    from dask.diagnostics.progress import ProgressBar

    return ProgressBar(dt=0.5, out=sys.stderr)


def _write_zarr(cube: xr.Dataset, path: Path) -> None:
    """Write beside `path`, then rename: a store under that name is always whole."""
    part = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with warnings.catch_warnings():
            # Zarr 3 says so at every write; readers are faster with it.
            warnings.filterwarnings("ignore", message="Consolidated metadata")
            cube.to_zarr(part, mode="w-")
        part.rename(path)
    finally:
        shutil.rmtree(part, ignore_errors=True)
