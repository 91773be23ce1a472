"""Files on disk as a cube: Landsat folders, stacks of bands, NetCDF and Zarr."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr

from xinpaint.core import qa
from xinpaint.errors import DataError, SchemaError
from xinpaint.io import reflectance as scaling
from xinpaint.io.planes import Grid, Plane, common_grid, lay
from xinpaint.io.scene_files import Scale, Scene, common, find

#: Bands opened where nobody says which: those of them that all scenes have.
BANDS = ("blue", "green", "red", "nir08", "swir16", "swir22")
#: Scenes of one satellite so near in time are one pass.
_PASS = np.timedelta64(15, "m")

Paths = str | PathLike[str] | Iterable[str | PathLike[str]]


def open_scenes(
    paths: Paths,
    *,
    bands: Sequence[str] | None = None,
    reflectance: bool = True,
    scale: Scale | None = None,
    mask: Collection[str] = qa.GAPS,
    dilate: int = 0,
    chunk: int = 1024,
) -> xr.Dataset:
    """Open files on disk as a lazy cube that ``ds.inpaint`` fills straight on.

    Parameters
    ----------
    paths : path, glob or several
        Folders of Landsat products (level 1 or 2, Collection 1 or 2: ``_MTL.txt`` and GeoTIFFs), a
        folder of such folders, a ``_MTL.txt``; GeoTIFFs, COGs or JPEG 2000 whose names hold the
        date; or one NetCDF file or Zarr store.
    bands : sequence of str, optional
        Common names (blue, green, red, nir08, swir16, swir22, coastal), and quality layers
        (qa_pixel, qa_radsat, pixel_qa, bqa) to keep as they are. The six reflective bands of
        Landsat where not given, as far as all scenes have them.
    reflectance : bool
        Apply scale and offset: float32, NaN where missing. For level 1, reflectance at the top of
        the atmosphere, the sun's height taken into account. False leaves numbers and nodata as they
        are stored, with ``scale_factor`` and ``add_offset`` in the attributes.
    scale : (factor, offset), optional
        Of files that do not say theirs, or say it wrongly.
    mask : collection of str
        What counts as a gap: names of `xinpaint.core.qa.FLAGS`. Goes into ``observed``.
    dilate : int
        Widen clouds and shadows by so many pixels.
    chunk : int
        Side of the dask chunks, one date each, in pixels.

    Returns
    -------
    Dataset
        One variable a band, and where a quality layer is there ``observed`` (bool) and ``qa``
        (flags of `xinpaint.core.qa`); dims (time, y, x); coordinates platform, sensor and item
        along time, and ``spatial_ref``.

    Raises
    ------
    DataError
        Where files are missing, damaged or not understood.
    SchemaError
        Where scenes do not fit together, or a band is not there; names the files.

    Examples
    --------
    >>> ds = xinpaint.open_scenes("LE07_L2SP_007059_20050104_20200914_02_T1")  # doctest: +SKIP
    >>> ds.inpaint.convnp().to_zarr("filled.zarr")  # doctest: +SKIP
    """
    if (store := _store(paths)) is not None:
        return _open_store(store, bands, reflectance=reflectance)
    scenes = find(paths)
    names = _choose(scenes, bands)
    passes = _passes(scenes)
    if reflectance and len({s.is_surface for s in scenes if s.scales}) > 1:
        listed = ", ".join(s.name for s in scenes[:4])
        raise SchemaError(
            f"found reflectance of the surface and of the top of the atmosphere in one cube "
            f"({listed}, ...): open level 1 and level 2 apart"
        )
    grid = common_grid(plane for s in scenes for plane in _planes(s, names))
    variables = {
        name: _quality_layer(passes, name, grid, chunk)
        if name in _LAYERS
        else _band(passes, name, grid, chunk, scale, reflectance=reflectance)
        for name in names
    }
    if any(_layer_of(scene) for scene in scenes):
        flags = da.stack([_flags(group, grid, chunk, mask) for group in passes])
        variables["observed"] = scaling.observed(flags, mask=mask, dilate=dilate)
        variables["qa"] = xr.Variable(("time", "y", "x"), flags, qa.attributes())
    made = xr.Dataset(variables, {**_dates(passes), **grid.coords()})
    if grid.crs is not None:
        for variable in made.data_vars.values():
            variable.encoding["grid_mapping"] = "spatial_ref"
    return made


_LAYERS = (*qa.LAYOUTS, "qa_radsat", "radsat_qa")


def _choose(scenes: Sequence[Scene], bands: Sequence[str] | None) -> list[str]:
    """Names of the variables to open; all scenes have all of them."""
    have = [set(scene.bands) | set(scene.quality) for scene in scenes]
    shared = set.intersection(*have)
    if bands is None:
        named = [name for name in BANDS if name in shared]
        others = [name for name in scenes[0].bands if name in shared]
        if named or others:
            return named or others
        raise SchemaError(
            f"the scenes share no band: {scenes[0].name} has {sorted(have[0])}, "
            f"{scenes[-1].name} {sorted(have[-1])}; open them apart"
        )
    if isinstance(bands, str):
        raise SchemaError(f"found bands={bands!r}; wanted a sequence of names: bands=[{bands!r}]")
    names = [common(name) for name in bands]
    for name in names:
        for scene, there in zip(scenes, have, strict=True):
            if name not in there:
                raise SchemaError(f"{scene.name} has no {name!r}; it has {sorted(there)}")
    return names


def _passes(scenes: Sequence[Scene]) -> list[list[Scene]]:
    """Scenes of one satellite's pass together (they overlap by a tenth), in order of time."""
    groups: list[list[Scene]] = []
    for scene in scenes:
        last = groups[-1][-1] if groups else None
        near = last is not None and scene.satellite and last.satellite == scene.satellite
        if near and last is not None and scene.time - last.time <= _PASS:
            groups[-1].append(scene)
        else:
            groups.append([scene])
    return groups


def _dates(passes: Sequence[Sequence[Scene]]) -> dict[str, Any]:
    first = [group[0] for group in passes]
    items = [" ".join(s.name for s in group) for group in passes]
    who = [(s.satellite, s.sensor, item) for s, item in zip(first, items, strict=True)]
    return {
        "time": ("time", np.array([s.time for s in first], "datetime64[ns]")),
        **scaling.sources(who),
    }


def _planes(scene: Scene, names: Iterable[str]) -> list[Plane]:
    chosen = [{**scene.bands, **scene.quality}[name] for name in names]
    layer = _layer_of(scene)
    return chosen if layer is None else [*chosen, scene.quality[layer]]


def _nodata(plane: Plane) -> float | None:
    """What the file says; in Landsat's integers without a word, 0."""
    if plane.nodata is None and plane.dtype.kind == "u":
        return 0.0
    return plane.nodata


def _band(
    passes: Sequence[Sequence[Scene]],
    name: str,
    grid: Grid,
    chunk: int,
    scale: Scale | None,
    *,
    reflectance: bool,
) -> xr.Variable:
    dates, scales, empty = [], [], []
    for group in passes:
        planes = [scene.bands[name] for scene in group]
        nodata = {_nodata(plane) for plane in planes}
        said = {scale or scene.scales.get(name, scene.bands[name].said) for scene in group}
        if len(nodata) > 1 or len(said) > 1:
            listed = ", ".join(scene.name for scene in group)
            raise SchemaError(
                f"{name}: scenes of one pass differ in scale or nodata ({listed}): open them apart"
            )
        dates.append(_mosaic(planes, grid, chunk, _nodata(planes[0])))
        scales.append(said.pop())
        empty.append(nodata.pop())
    return scaling.band(name, dates, scales, empty, reflectance=reflectance)


def _mosaic(planes: Sequence[Plane], grid: Grid, chunk: int, nodata: float | None) -> Any:
    """Planes of one pass over each other: the first that holds something counts."""
    pad = nodata if nodata is not None else (np.nan if planes[0].dtype.kind == "f" else 0)
    made = lay(planes[0], grid, pad=pad, chunk=chunk)
    for plane in planes[1:]:
        below = lay(plane, grid, pad=pad, chunk=chunk)
        empty = da.isnan(made) if np.isnan(pad) else made == pad
        made = da.where(empty, below, made)
    return made


def _quality_layer(
    passes: Sequence[Sequence[Scene]], name: str, grid: Grid, chunk: int
) -> xr.Variable:
    pad = float(qa.FILL_VALUES[name])
    dates = [_mosaic([s.quality[name] for s in group], grid, chunk, pad) for group in passes]
    return xr.Variable(("time", "y", "x"), da.stack(dates), {"long_name": name})


def _layer_of(scene: Scene) -> str | None:
    return next((name for name in qa.LAYOUTS if name in scene.quality), None)


def _flags(group: Sequence[Scene], grid: Grid, chunk: int, mask: Collection[str]) -> Any:
    """Flags of one pass, uint16 ``[y x]``: of its first scene, beyond that of the next."""
    made: Any = None
    for scene in group:
        layers = [_layer_of(scene)]
        if "saturated" in mask:
            layers += [name for name in ("qa_radsat", "radsat_qa") if name in scene.quality]
        flags: Any = None
        for layer in layers:
            read = _decoded(scene, layer, grid, chunk)
            flags = read if flags is None else flags | read
        made = flags if made is None else da.where(made & qa.FLAGS["fill"] != 0, flags, made)
    return made


def _decoded(scene: Scene, layer: str | None, grid: Grid, chunk: int) -> Any:
    if layer is None:  # nothing says what is cloud; nodata says what is missing
        chunks = (chunk, chunk)
        return da.zeros((grid.height, grid.width), chunks=chunks, dtype=np.uint16)
    pad = float(qa.FILL_VALUES[layer])
    raw = lay(scene.quality[layer], grid, pad=pad, chunk=chunk)
    family = scene.sensor if scene.sensor in ("tm", "etm", "oli") else None
    return raw.map_blocks(
        qa.decode, layer, family=family, dtype=np.uint16, meta=np.empty((0, 0), np.uint16)
    )


def _store(paths: Paths) -> Path | None:
    """The path itself where it is a Zarr store or a NetCDF file."""
    if not isinstance(paths, str | PathLike):
        return None
    path = Path(fspath(paths))
    is_zarr = any((path / name).is_file() for name in ("zarr.json", ".zgroup", ".zmetadata"))
    return path if is_zarr or path.suffix.lower() in (".nc", ".nc4", ".cdf", ".h5") else None


def _open_store(path: Path, bands: Sequence[str] | None, *, reflectance: bool) -> xr.Dataset:
    """A cube as it was written: coordinate system kept, flags whole, each scale applied once."""
    if not path.exists():
        raise DataError(f"{path} is not there: check the path")
    engine: Any = "zarr" if path.is_dir() else None
    try:
        with xr.open_dataset(path, decode_cf=False, chunks=None, engine=engine) as raw:
            scaled = {
                str(name): reflectance and not _is_flag(str(name), variable)
                for name, variable in raw.variables.items()
            }
        opened: xr.Dataset = xr.open_dataset(
            path, chunks={}, decode_coords="all", mask_and_scale=scaled, engine=engine
        )
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise DataError(f"{path} does not open as Zarr or NetCDF: {error}") from error
    if bands is None:
        return opened
    missing = [name for name in bands if name not in opened.data_vars]
    if missing:
        raise SchemaError(f"{path} has no {missing}; it has {list(opened.data_vars)}")
    keep = [n for n in opened.data_vars if n in set(bands) or n in ("observed", "qa")]
    return opened[keep]


def _is_flag(name: str, variable: xr.Variable) -> bool:
    return qa.is_quality(name) or "flag_meanings" in variable.attrs
