"""A filled image as GeoTIFF files: its bands laid out as they were, and beside them how sure."""

from __future__ import annotations

import os
import threading
from collections.abc import Hashable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import dask.array
import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xinpaint.core.task import FILLED, OBSERVED

#: What lies beside the bands, each in a file that is called after theirs.
PARTS = ("std", "provenance")
#: Compressions that may change observed pixels.
_LOSSY = ("jpeg", "webp", "lerc", "jxl")


def files_of(path: Path) -> dict[str, Path]:
    """Where the bands (``""``), their std and their provenance go."""
    return {"": path} | {part: path.with_stem(f"{path.stem}_{part}") for part in PARTS}


def alpha_of(path: Path | str) -> list[int]:
    """Numbers, from 1, of a GeoTIFF's alpha bands: they say what was observed, and are no data."""
    import rasterio
    from rasterio.enums import ColorInterp

    with rasterio.open(path, driver="GTiff") as file:
        kinds = zip(file.indexes, file.colorinterp, strict=True)
        return [number for number, kind in kinds if kind == ColorInterp.alpha]


def is_masked(path: Path) -> bool:
    """Whether one mask of a GeoTIFF's own, or its alpha band, says what of it was observed."""
    import rasterio
    from rasterio.enums import MaskFlags

    with rasterio.open(path, driver="GTiff") as file:
        return any(MaskFlags.per_dataset in flags for flags in file.mask_flag_enums)


def write(filled: xr.Dataset, bands: Sequence[Hashable], like: Path, path: Path) -> list[Path]:
    """Write a filled image as GeoTIFF, block by block; all files appear whole or not at all.

    Parameters
    ----------
    filled : Dataset
        Variables over (y, x): each of `bands`, and of those that were filled ``<band>_provenance``
        and perhaps ``<band>_std``.
    bands : sequence
        The variable of each band of `like` but alpha, in its order.
    like : path
        The GeoTIFF that was filled. CRS, transform (or control
        points, or RPCs), dtype, tiling, compression, descriptions,
        scales and tags are its own; a compression that may change pixels becomes deflate. Where it
        is masked or has an alpha band, the bands get a mask of what is still missing.
    path : path
        Where the bands go. Beside them ``<stem>_std`` (float32, NaN = unknown) and
        ``<stem>_provenance`` (uint8), with a band for each that was filled.

    Returns
    -------
    list of path
        What was written.
    """
    import rasterio

    parts = {"": list(bands)}
    for part in PARTS:
        parts[part] = [name for band in bands if (name := f"{band}_{part}") in filled]
    made = {file: parts[part] for part, file in files_of(path).items() if parts[part]}
    drafts = {file: file.with_name(f".{os.getpid()}.partial.{file.name}") for file in made}
    arrays, planes = [], []
    try:
        internal = rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True)
        with internal, rasterio.open(like) as source, ExitStack() as opened:
            for file, names in made.items():
                profile = _profile(source, filled[names[0]], len(names))
                target = opened.enter_context(rasterio.open(drafts[file], "w", **profile))
                _describe(target, source, names, filled.attrs, whole=file == path)
                arrays += [filled[name].data for name in names]
                planes += [_Plane(target, number) for number in target.indexes]
                if file == path and is_masked(like):
                    arrays.append(_known(filled, parts["provenance"]))
                    planes.append(_Plane(target, 0))
            lazy: Any = dask.array  # its functions carry no types
            lazy.store([lazy.asarray(array) for array in arrays], planes, lock=threading.Lock())
        for file, draft in drafts.items():
            draft.replace(file)
    finally:
        for draft in drafts.values():
            draft.unlink(missing_ok=True)
    return list(made)


class _Plane:
    """A band of an open file, or its mask as band 0, to which blocks are assigned."""

    def __init__(self, file: Any, band: int) -> None:
        self._file, self._band = file, band

    def __setitem__(self, where: tuple[slice, slice], block: NDArray[Any]) -> None:
        from rasterio.windows import Window

        window = Window.from_slices(*where)
        if self._band:
            self._file.write(block, self._band, window=window)
        else:
            self._file.write_mask(block, window=window)


def _known(filled: xr.Dataset, names: Sequence[Hashable]) -> Any:
    """Where all bands were observed or filled, bool ``[y x]``."""
    known = [filled[name].isin([OBSERVED, FILLED]) for name in names]
    return xr.concat(known, "band").all("band").data


def _profile(source: Any, first: xr.DataArray, count: int) -> dict[str, Any]:
    """How a file is laid out: like the source, in the type of its first variable."""
    profile = {**source.profile, "count": count, "dtype": first.dtype.name, "BIGTIFF": "IF_SAFER"}
    profile.pop("photometric", None)
    if str(profile.get("compress", "")).lower().startswith(_LOSSY):
        profile["compress"] = "deflate"
    nodata = first.attrs.get("_FillValue")
    if str(first.name).endswith("_std"):
        nodata = np.nan
    if source.transform.is_identity:  # it lies by control points or RPCs, or nowhere
        del profile["transform"]
    points, crs = source.gcps
    if points:
        profile |= {"gcps": points, "crs": crs}
    if source.rpcs:
        profile["rpcs"] = source.rpcs
    return profile | {"nodata": nodata}


def _describe(
    target: Any, source: Any, names: Sequence[Hashable], attrs: Mapping[Any, Any], *, whole: bool
) -> None:
    """Give bands their names, and what the source says of them; tell the method."""
    told = {key: value for key, value in attrs.items() if str(key).startswith("xinpaint_")}
    target.update_tags(**(source.tags() if whole else {}), **told)
    for number, name in enumerate(names, start=1):
        target.set_band_description(number, str(name))
    if not whole:
        return
    left_out = alpha_of(source.name)
    kept = [number for number in source.indexes if number not in left_out]
    for what in ("descriptions", "units", "scales", "offsets", "colorinterp"):
        told = getattr(source, what)
        setattr(target, what, tuple(told[number - 1] for number in kept))
    for number, old in enumerate(kept, start=1):
        target.update_tags(number, **source.tags(old))
