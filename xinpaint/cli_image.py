"""``xinpaint fill`` of one GeoTIFF: as a whole, into GeoTIFF files or a Zarr store."""

from __future__ import annotations

import argparse
import math
import os
import shutil
import signal
import sys
import threading
import warnings
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
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


def fill_image(args: argparse.Namespace, options: dict[str, Any]) -> int:
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

    method = filler(args.method, **options)
    _check(args)
    image = open_path(args.src)
    _say_nodata(image, args)
    _say_beforehand(image, args)
    filled = inpaint(image, method, name=args.method)
    args.dst.parent.mkdir(parents=True, exist_ok=True)
    with _progress(), _told(args), _ended_in_order():
        if not is_tiff(args.dst):
            _write_zarr(filled, args.dst)
            print(f"wrote {args.dst}")
            return 0
        made = geotiff.write(filled, _bands(image), args.src, args.dst)
    print("wrote", ", ".join(map(str, made)))
    for line in _counted(image, made):
        print(line)
    return 0


@contextmanager
def _told(args: argparse.Namespace) -> Iterator[None]:
    """An error of reading or writing in one line."""
    try:
        yield
    except OSError as error:
        raise DataError(
            f"{args.src} does not read whole, or {args.dst} cannot be written: {error}; nothing "
            "was written: copy the file again if it was cut short, or see to the disk"
        ) from error


@contextmanager
def _ended_in_order() -> Iterator[None]:
    """Where a scheduler ends the process, what was half-written is removed first."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _bands(image: xr.Dataset) -> list[Hashable]:
    """What of an opened image are bands of its file: all but the mask."""
    return [name for name, band in image.data_vars.items() if band.dtype != bool]


def _say_beforehand(image: xr.Dataset, args: argparse.Namespace) -> None:
    """Say what is going on before the bar moves, and what tells the gaps where it is no nodata."""
    from xinpaint.io.geotiff import alpha_of
    from xinpaint.io.opening import BLOCK

    if alpha := alpha_of(args.src):
        print(
            f"band {alpha[0]} of {args.src} is alpha: it says what was observed, and is left out "
            "of what is written",
            file=sys.stderr,
        )
    elif "observed" in image:
        print(f"the mask of {args.src} says what was observed", file=sys.stderr)
    y, x = image.sizes["y"], image.sizes["x"]
    count = math.ceil(y / BLOCK) * math.ceil(x / BLOCK)
    print(
        f"filling {x:,} x {y:,} pixels with {args.method}: the bar stands still until the first of "
        f"{count:,} block{'s' * (count > 1)} is done",
        file=sys.stderr,
    )


def _counted(image: xr.Dataset, made: list[Path]) -> list[str]:
    """How many values were filled and how many are still missing, and what may be amiss."""
    import numpy as np
    import rasterio

    from xinpaint.core.task import FILLED, OBSERVED

    path = next((path for path in made if path.stem.endswith("_provenance")), None)
    if path is None:
        return ["nothing was missing"]
    total, amiss = np.zeros(256, np.int64), []
    with rasterio.open(path) as codes:
        for number, told in zip(codes.indexes, codes.descriptions, strict=True):
            counts = np.zeros(256, np.int64)
            for _, window in codes.block_windows(number):
                counts += np.bincount(codes.read(number, window=window).ravel(), minlength=256)
            total += counts
            name = told.removesuffix("_provenance")
            if not counts[OBSERVED]:
                amiss.append(f"nothing of {name!r} was observed")
            elif counts[OBSERVED] == counts.sum():
                amiss += _perhaps_gaps(image, name)
    left = int(total.sum() - total[OBSERVED] - total[FILLED])
    said = f"{total[FILLED]:,} values filled, {left:,} still missing"
    why = f": {path} says why (0 outside of what was seen, 3 not filled)" if left else ""
    return [said + why, *amiss]


def _perhaps_gaps(image: xr.Dataset, name: str) -> list[str]:
    """A line where nothing of a band was missing, yet many of its pixels hold a value like 0."""
    from xinpaint.cube import notices

    if "observed" in image or notices.says_missing(image[name]):
        return []
    found = notices.least(image[name].data)
    if found is None:
        return []
    return [f"{notices.nothing_filled(name, *found)}; if these are gaps, say --nodata {found[0]:g}"]


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

    bands = [image[name] for name in _bands(image)]
    silent = [band for band in bands if nodata_of(band) is None]
    said = {nodata_of(band) for band in bands} - {None}
    if args.nodata is not None and not silent and said != {args.nodata}:
        told = ", ".join(f"{number:g}" for number in said)
        raise DataError(
            f"{args.src} says itself that nodata is {told}, --nodata says {args.nodata:g}: leave "
            "--nodata out"
        )
    for band in silent:
        if args.nodata is not None:
            band.attrs["_FillValue"] = args.nodata
        if band.dtype.kind in "iu" and nodata_of(band) is None and not _has_mask(image):
            raise DataError(f"{nothing_missing(band)}; on the command line: --nodata VALUE")


def _has_mask(image: xr.Dataset) -> bool:
    from xinpaint.core.qa import quality_rule

    return "observed" in image or any(
        quality_rule(str(name)) is not None for name in image.data_vars
    )


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
