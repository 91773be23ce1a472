"""From quality layers to what was observed, lazily."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import dask.array
import numpy as np
from dask.array.overlap import ensure_minimum_chunksize
from numpy.typing import NDArray

from xinpaint.core import qa
from xinpaint.core.qa_layouts import LAYOUTS
from xinpaint.core.sensors import quality_layout, sensor_of
from xinpaint.core.stripes import slc_gaps
from xinpaint.errors import DataError
from xinpaint.io import reflectance as scaling
from xinpaint.io.items import Scene
from xinpaint.io.mosaic import Band
from xinpaint.io.options import Options

da: Any = dask.array

#: Names of bands in the layers that say what is saturated.
_PLAIN = {"nir08": "nir", "swir16": "swir1", "swir22": "swir2", "coastal": "coastal"}
#: The corrector of Landsat 7's scan lines failed on this day.
SLC_OFF = np.datetime64("2003-05-31")
#: How far a pixel's neighbours decide whether it lies in a stripe: in metres, and pixels at least.
_REACH, _LEAST_REACH = 1920.0, 64


def wanted(item: Mapping[str, Any], quality: str | None, mask: Sequence[str]) -> dict[str, str]:
    """Quality assets to read beside the bands: key -> layout."""
    found: dict[str, str] = {}
    collection = str(item.get("collection") or "")
    if quality is not None:
        layout = quality_layout(collection, quality) or qa.quality_rule(quality)
        if layout is None:
            raise DataError(
                f"quality={quality!r} is no known layer; wanted one of {', '.join(LAYOUTS)}, "
                "or None"
            )
        found[quality] = layout
    if "saturated" in mask:
        for key in item.get("assets", {}):
            if key.lower() in ("qa_radsat", "radsat_qa"):
                found[key] = key.lower()
    return found


def lost(
    names: Sequence[str], failed: Mapping[str, Any], *, whole_date: bool
) -> tuple[Any, dict[str, Any]]:
    """Pack what could not be read: an array ``[t y x]`` with one bit a band, and its attributes.

    A quality layer that failed says nothing of any band, so it sets every bit; `whole_date` does
    so for any band.
    """
    dtype = np.dtype(f"u{next(n for n in (1, 2, 4, 8) if 8 * n >= len(names))}")
    bits = np.array([1 << i for i in range(len(names))], dtype)
    arrays = [failed[name] for name in names]
    rest = [array for name, array in failed.items() if name not in names]
    rule = partial(_pack, count=len(names), dtype=dtype, whole=whole_date)
    packed = da.map_blocks(rule, *arrays, *rest, dtype=dtype, meta=np.empty((0, 0, 0), dtype))
    return packed, {
        "long_name": "bands that could not be read",
        "flag_masks": bits,
        "flag_meanings": " ".join(names),
    }


def _pack(*failed: NDArray[np.bool_], count: int, dtype: Any, whole: bool) -> NDArray[Any]:
    out = np.zeros(failed[0].shape, dtype)
    for index, array in enumerate(failed):
        alone = index < count and not whole
        out[array] |= dtype.type((1 << index) if alone else (1 << count) - 1)
    return out


def masks(
    groups: Sequence[Sequence[Scene]],
    arrays: Mapping[str, Any],
    layouts: Mapping[str, str],
    first: Band,
    opts: Options,
    *,
    height: float,
) -> dict[str, tuple[Any, dict[str, Any]]]:
    """Make ``observed`` and ``qa``; nothing where no quality layer is read and no edge is asked.

    `height` is that of a pixel, in metres.
    """
    if not layouts and not opts.edge:
        return {}
    known = {sensor_of(scene.platform)[1] for group in groups for scene in group}
    family = known.pop() if len(known) == 1 else None
    bands = tuple(_PLAIN.get(name, name) for name in arrays if name not in layouts)
    layers = [arrays[key] for key in layouts] or [arrays[first.name]]
    rule = partial(
        _decode, layouts=tuple(layouts.values()), family=family, bands=bands, empty=first.empty
    )
    meta = np.empty((0, 0, 0), np.uint16)
    seen = da.map_blocks(rule, *layers, dtype=np.uint16, meta=meta)
    striped = tuple(_is_striped(group) for group in groups)
    flags = seen
    if any(striped):
        flags = _stripes(seen, striped, height)
    observed = scaling.observed(
        flags if opts.edge else seen, mask=opts.mask, dilate=opts.dilate, edge=opts.edge
    )
    return {"observed": (observed.data, observed.attrs), "qa": (flags, qa.attributes())}


def _decode(
    *layers: NDArray[Any], layouts: tuple[str, ...], family: Any, bands: Any, empty: float
) -> NDArray[np.uint16]:
    if not layouts:
        nothing = np.isnan(layers[0]) if np.isnan(empty) else layers[0] == empty
        return np.where(nothing, qa.FLAGS["fill"], 0).astype(np.uint16)
    out = np.zeros(layers[0].shape, np.uint16)
    for layer, layout in zip(layers, layouts, strict=True):
        one_by_one = layout in ("qa_radsat", "radsat_qa") and family in ("tm", "etm", "oli")
        out |= qa.decode(layer, layout, family=family, bands=bands if one_by_one else None)
    return out


def _is_striped(group: Sequence[Scene]) -> bool:
    return any(scene.sensor == "ETM+" and scene.when >= SLC_OFF for scene in group)


def _stripes(seen: Any, striped: tuple[bool, ...], height: float) -> Any:
    """Flags with SLC gaps told apart, on the dates that may have them."""
    reach = max(_LEAST_REACH, math.ceil(_REACH / height))
    chunks = [
        ensure_minimum_chunksize(min(reach, sum(each)), each) if len(each) > 1 else each
        for each in seen.chunks[1:]
    ]
    wide = seen.rechunk(((1,) * seen.shape[0], *chunks))
    begins = np.cumsum((0, *wide.chunks[2]))[:-1]
    columns = tuple(np.maximum(begins - reach, 0).tolist())
    rule = partial(_with_stripes, striped=striped, columns=columns, height=height)
    return scaling.widely(rule, wide, reach, np.uint16).rechunk(seen.chunks)


def _with_stripes(
    flags: NDArray[np.uint16],
    *,
    striped: tuple[bool, ...],
    columns: tuple[int, ...],
    height: float,
    block_id: tuple[int, ...],
) -> NDArray[np.uint16]:
    """Add the flag of SLC gaps on dates that may have them; a block is one date."""
    if not striped[block_id[0]]:
        return flags
    out = flags.copy()
    for plane in out:
        missing = plane & np.uint16(qa.FLAGS["fill"]) != 0
        gap = slc_gaps(missing, resolution=height, column=columns[block_id[2]])
        plane[gap] |= np.uint16(qa.FLAGS["slc_gap"])
    return out
