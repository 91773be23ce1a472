"""Bands and quality layers of scenes on disk, pass by pass, and what of them could not be read."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import dask.array
import numpy as np
import xarray as xr

from xinpaint.core import qa
from xinpaint.core.qa_layouts import LAYOUTS
from xinpaint.core.sensors import family_of
from xinpaint.errors import SchemaError
from xinpaint.io import reflectance as scaling
from xinpaint.io.planes import Canvas, Plane, lay
from xinpaint.io.scene_files import Scale, Scene

da: Any = dask.array

_LAYERS = (*LAYOUTS, "qa_radsat", "radsat_qa")
Passes = Sequence[Sequence[Scene]]


def planes(scene: Scene, names: Iterable[str]) -> list[Plane]:
    """The planes of a scene that are read for some bands."""
    chosen = [{**scene.bands, **scene.quality}[name] for name in names]
    layer = layer_of(scene)
    return chosen if layer is None else [*chosen, scene.quality[layer]]


def layer_of(scene: Scene) -> str | None:
    """The quality layer that says what a scene's gaps are; None where it has none."""
    return next((name for name in LAYOUTS if name in scene.quality), None)


def bands(
    passes: Passes, names: Sequence[str], canvas: Canvas, *, scale: Scale | None, reflectance: bool
) -> tuple[dict[str, xr.Variable], dict[str, Any]]:
    """Bands by name, and lazy arrays ``[t y x]`` of what of each could not be read."""
    made: dict[str, xr.Variable] = {}
    failed: dict[str, Any] = {}
    for name in names:
        if name in _LAYERS:
            pad = float(qa.FILL_VALUES[name])
            both = [_mosaic([s.quality[name] for s in group], canvas, pad) for group in passes]
            stacked = da.stack([values for values, _ in both])
            made[name] = xr.Variable(("time", "y", "x"), stacked, {"long_name": name})
            failed[name] = da.stack([bad for _, bad in both])
        else:
            made[name], failed[name] = _band(
                passes, name, canvas, scale=scale, reflectance=reflectance
            )
    return made, failed


def _nodata(plane: Plane) -> float | None:
    """What the file says; in Landsat's integers without a word, 0."""
    if plane.nodata is None and plane.dtype.kind == "u":
        return 0.0
    return plane.nodata


def _band(
    passes: Passes, name: str, canvas: Canvas, *, scale: Scale | None, reflectance: bool
) -> tuple[xr.Variable, Any]:
    dates, failed, scales, empty = [], [], [], []
    for group in passes:
        found = [scene.bands[name] for scene in group]
        nodata = {_nodata(plane) for plane in found}
        said = {scale or scene.scales.get(name, scene.bands[name].said) for scene in group}
        if len(nodata) > 1 or len(said) > 1:
            listed = ", ".join(scene.name for scene in group)
            raise SchemaError(
                f"{name}: scenes of one pass differ in scale or nodata ({listed}): open them apart"
            )
        values, bad = _mosaic(found, canvas, _nodata(found[0]))
        dates.append(values)
        failed.append(bad)
        scales.append(said.pop())
        empty.append(nodata.pop())
    made = scaling.band(name, dates, scales, empty, reflectance=reflectance)
    return made, da.stack(failed)


def _mosaic(found: Sequence[Plane], canvas: Canvas, nodata: float | None) -> tuple[Any, Any]:
    """Planes of one pass over each other: the first that holds something counts."""
    pad = nodata if nodata is not None else (np.nan if found[0].dtype.kind == "f" else 0)

    def empty(array: Any) -> Any:
        return da.isnan(array) if np.isnan(pad) else array == pad

    made, failed = lay(found[0], canvas, pad=pad)
    for plane in found[1:]:
        below, bad = lay(plane, canvas, pad=pad)
        made, failed = da.where(empty(made), below, made), failed | bad
    return made, failed & empty(made)


def flags(passes: Passes, canvas: Canvas, mask: Collection[str]) -> tuple[Any, Any]:
    """Flags of all passes, lazy uint16 ``[t y x]``, and where their layers could not be read."""
    both = [_flags(group, canvas, mask) for group in passes]
    return da.stack([made for made, _ in both]), da.stack([bad for _, bad in both])


def _flags(group: Sequence[Scene], canvas: Canvas, mask: Collection[str]) -> tuple[Any, Any]:
    """Flags of one pass: of its first scene, beyond that of the next."""
    made: Any = None
    failed: Any = None
    for scene in group:
        wanted = [layer_of(scene)]
        if "saturated" in mask:
            wanted += [name for name in ("qa_radsat", "radsat_qa") if name in scene.quality]
        decoded = [_decoded(scene, layer, canvas) for layer in wanted]
        own, bad = decoded[0]
        for more, worse in decoded[1:]:
            own, bad = own | more, bad | worse
        if made is None:
            made, failed = own, bad
        else:
            beyond = made & qa.FLAGS["fill"] != 0
            made, failed = da.where(beyond, own, made), da.where(beyond, failed | bad, failed)
    return made, failed


def _decoded(scene: Scene, layer: str | None, canvas: Canvas) -> tuple[Any, Any]:
    if layer is None:  # nothing says what is cloud; nodata says what is missing
        chunks = (canvas.chunk, canvas.chunk)
        nothing = da.zeros(canvas.grid.shape, chunks=chunks, dtype=np.uint16)
        return nothing, nothing.astype(bool)
    raw, failed = lay(scene.quality[layer], canvas, pad=float(qa.FILL_VALUES[layer]))
    options = {"dtype": np.uint16, "meta": np.empty((0, 0), np.uint16)}
    return raw.map_blocks(qa.decode, layer, family=family_of(scene.sensor), **options), failed
