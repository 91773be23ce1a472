"""Files on disk as a cube: Landsat folders, stacks of bands, NetCDF and Zarr."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from os import PathLike, fspath
from pathlib import Path
from typing import Any, get_args

import numpy as np
import xarray as xr

from xinpaint.core import qa
from xinpaint.errors import DataError, SchemaError
from xinpaint.io import labels
from xinpaint.io import reflectance as scaling
from xinpaint.io import scene_layers as layers
from xinpaint.io.flags import lost
from xinpaint.io.planes import Canvas, common_grid
from xinpaint.io.reading import OnReadError
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
    on_read_error: OnReadError = "raise",
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
    on_read_error : {"raise", "mark", "skip_date"}
        What a file that is cut short or damaged makes: an error; pixels marked in ``read_failed``;
        or no date where it does not open, and marks in all bands where a part of it is bad. Of a
        Zarr store or NetCDF file only "raise".

    Returns
    -------
    Dataset
        One variable a band, and where a quality layer is there ``observed`` (bool) and ``qa``
        (flags of `xinpaint.core.qa`), with "mark" and "skip_date" ``read_failed`` (flags, one bit a
        band); dims (time, y, x); coordinates platform, sensor and item along time, and
        ``spatial_ref``.

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
    if on_read_error not in get_args(OnReadError):
        listed = ", ".join(get_args(OnReadError))
        raise SchemaError(f"found on_read_error={on_read_error!r}; wanted one of {listed}")
    if (store := _store(paths)) is not None:
        if on_read_error != "raise":
            raise SchemaError(
                f"found on_read_error={on_read_error!r} for {store.name}; a Zarr store or NetCDF "
                "file is read whole or not at all: leave it out"
            )
        return _open_store(store, bands, reflectance=reflectance)
    scenes = find(paths, skip=on_read_error == "skip_date")
    names = _choose(scenes, bands)
    passes = _passes(scenes)
    if reflectance and len({s.is_surface for s in scenes if s.scales}) > 1:
        listed = ", ".join(s.name for s in scenes[:4])
        raise SchemaError(
            f"found reflectance of the surface and of the top of the atmosphere in one cube "
            f"({listed}, ...): open level 1 and level 2 apart"
        )
    grid = common_grid(plane for s in scenes for plane in layers.planes(s, names))
    canvas = Canvas(grid, chunk, on_read_error != "raise")
    variables, failed = layers.bands(passes, names, canvas, scale=scale, reflectance=reflectance)
    if any(layers.layer_of(scene) for scene in scenes):
        flags, failed["qa"] = layers.flags(passes, canvas, mask)
        variables["observed"] = scaling.observed(flags, mask=mask, dilate=dilate)
        variables["qa"] = xr.Variable(labels.DIMS, flags, qa.attributes())
    if on_read_error != "raise":
        bits, attrs = lost(names, failed, whole_date=on_read_error == "skip_date")
        variables["read_failed"] = xr.Variable(labels.DIMS, bits, attrs)
    made = xr.Dataset(variables, {**_dates(passes), **labels.coords(grid)})
    if grid.crs:
        for variable in made.data_vars.values():
            variable.encoding["grid_mapping"] = "spatial_ref"
    return made


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
    who = [labels.landsat(s.satellite, s.sensor, i) for s, i in zip(first, items, strict=True)]
    when = np.array([s.time for s in first], "datetime64[ns]")
    return {"time": ("time", when), **labels.who(who)}


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
