"""Which files make a scene: folders with Landsat metadata, loose bands, stacks of bands."""

from __future__ import annotations

import glob
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from os import PathLike, fspath
from pathlib import Path

import numpy as np

from xinpaint.core import landsat
from xinpaint.core.notes import tell
from xinpaint.errors import DataError, RefusedError
from xinpaint.io import mtl
from xinpaint.io.planes import DRIVERS, Plane, inspect

Scale = tuple[float, float]

#: Factor and offset that a kind of file has whatever its metadata says, and its nodata.
_LEVEL_2 = {"sr_b": landsat.SURFACE, "sr_band": (1e-4, 0.0), "toa_band": (1e-4, 0.0)}
_NODATA = {"sr_band": -9999.0, "toa_band": -9999.0}
_DATE = re.compile(r"(?<!\d)((?:19|20)\d\d)-?([01]\d)-?([0-3]\d)(?:T(\d\d)-?:?(\d\d)-?:?(\d\d))?")


@dataclass(frozen=True)
class Scene:
    """One date of one place.

    Parameters
    ----------
    name : str
    time : datetime64[ns]
    satellite : int
        Landsat's number; 0 where not known.
    sensor : str
        A key of `xinpaint.core.landsat.BANDS`, or "".
    bands, quality : dict of str to Plane
        By common name; by layer.
    scales : dict of str to (factor, offset)
        What makes a band's numbers reflectance; bands that nobody spoke of are not in it.
    is_surface : bool or None
        Whether that is reflectance of the surface, or at the top of the atmosphere; None = unsaid.
    """

    name: str
    time: np.datetime64
    satellite: int
    sensor: str
    bands: dict[str, Plane]
    quality: dict[str, Plane] = field(default_factory=dict)
    scales: dict[str, Scale] = field(default_factory=dict)
    is_surface: bool | None = None


def find(
    paths: str | PathLike[str] | Iterable[str | PathLike[str]], *, skip: bool = False
) -> list[Scene]:
    """Find the scenes below paths, oldest first; no pixel is read.

    Parameters
    ----------
    paths : path, glob or several
        A folder with a ``_MTL.txt`` (or folders of such), a ``_MTL.txt`` itself, image files.
    skip : bool
        Leave out, with a warning, scenes of which a file does not open.

    Raises
    ------
    DataError
        Where nothing is found, or a file says neither what nor when it shows.
    """
    given = [paths] if isinstance(paths, str | PathLike) else list(paths)
    metadata: dict[Path, None] = {}
    images: dict[Path, None] = {}
    beside: dict[Path, None] = {}
    for path in (each for one in given for each in _expand(fspath(one))):
        if path.is_dir():
            inside = _metadata_below(path)
            metadata.update(dict.fromkeys(inside))
            (beside if inside else images).update(dict.fromkeys(_images_in(path)))
        elif re.search(r"_MTL\.(txt|json)\Z", path.name, re.IGNORECASE):
            metadata[path] = None
        elif path.suffix.lower() in DRIVERS:
            images[path] = None
        elif len(given) == 1 and not glob.has_magic(fspath(given[0])):
            raise DataError(
                f"{path} is no folder, _MTL.txt, GeoTIFF or JPEG 2000; unpack archives first"
            )
    stems = {(path.parent, _stem(path)) for path in metadata}
    if left := [path.name for path in beside if not _belongs(path, stems)]:
        tell(f"{len(left)} files such as {left[0]} belong to no _MTL.txt: not read")
    jobs: list[Callable[[], Scene]] = [partial(_of_product, path) for path in metadata]
    jobs += _of_images([p for p in images if not _belongs(p, stems)])
    scenes = [scene for job in jobs if (scene := _made(job, skip=skip)) is not None]
    if not scenes:
        listed = ", ".join(fspath(one) for one in given) or "nothing"
        raise DataError(
            f"found no scene in {listed}; wanted folders with a _MTL.txt, or GeoTIFF files whose "
            "names hold a date"
        )
    return sorted(scenes, key=lambda scene: (scene.time, scene.name))


def _made(job: Callable[[], Scene], *, skip: bool) -> Scene | None:
    try:
        return job()
    except DataError as error:
        if not skip or isinstance(error, RefusedError):
            raise
        tell(f"a date is left out: {error}")
        return None


def _expand(text: str) -> list[Path]:
    if glob.has_magic(text) and not Path(text).exists():
        found = sorted(glob.glob(text, recursive=True))
        if not found:
            raise DataError(f"nothing matches {text!r}: check the path")
        return [Path(name) for name in found]
    if not Path(text).exists():
        raise DataError(f"{text} is not there: check the path")
    return [Path(text)]


def _metadata_below(folder: Path) -> list[Path]:
    """Metadata files of a folder and of the folders in it; JSON only where there is no text."""
    for pattern in ("*_MTL.txt", "*/*_MTL.txt", "*_MTL.json", "*/*_MTL.json"):
        if found := sorted(folder.glob(pattern)):
            return found
    return []


def _images_in(folder: Path) -> list[Path]:
    return sorted(p for p in folder.iterdir() if p.suffix.lower() in DRIVERS)


def _stem(metadata: Path) -> str:
    return metadata.stem[: -len("_MTL")].lower()


def _belongs(image: Path, stems: Collection[tuple[Path, str]]) -> bool:
    """Whether an image belongs to a product whose metadata was given as well."""
    ending = landsat.split_ending(image.stem)
    stem = image.stem if ending is None else ending[0]
    return (image.parent, stem.lower()) in stems


def _of_product(path: Path) -> Scene:
    """A scene from its metadata file and the images beside it."""
    product = mtl.read(path)
    stem = _stem(path)
    beside = {p.name: p for p in _images_in(path.parent)}
    lower = {name.lower(): p for name, p in beside.items()}
    bands: dict[str, Plane] = {}
    quality: dict[str, Plane] = {}
    scales, is_surface = dict(product.scales), product.level.startswith("L2")
    for layer, name in product.files.items():
        if found := lower.get(name.lower()):
            (quality if layer in landsat.QUALITY.values() else bands)[layer] = inspect(found)[0]
    own = [p for n, p in beside.items() if n.lower().startswith(f"{stem}_")]
    for image in own:  # what the metadata does not name: ESPA's products, extra quality layers
        ending = landsat.split_ending(image.stem)
        if ending is None or ending[0].lower() != stem:
            continue
        if ending[1] == "quality":
            quality.setdefault(ending[2], inspect(image)[0])
        elif ending[1] in _NODATA and ending[2] in landsat.BANDS[product.sensor]:
            common = landsat.BANDS[product.sensor][ending[2]]
            if common not in bands or ending[1] == "sr_band":
                bands[common], scales[common] = _espa(image), _LEVEL_2[ending[1]]
                is_surface = ending[1] == "sr_band"
    if not bands and (stack := lower.get(f"{stem}.tif")):
        bands = _by_description(stack)
    if not bands:
        wanted = ", ".join(product.files.values()) or f"{stem}_B1.TIF"
        raise DataError(f"{path.name} names no image that lies beside it; wanted {wanted}")
    about = (product.name, product.time, product.satellite, product.sensor)
    return Scene(*about, bands, quality, scales, is_surface)


def _espa(path: Path) -> Plane:
    plane = inspect(path)[0]
    nodata = -9999.0 if plane.nodata is None else plane.nodata
    return Plane(**{**plane.__dict__, "nodata": nodata})


def _by_description(path: Path) -> dict[str, Plane]:
    """Bands of a stack by their descriptions."""
    planes = inspect(path)
    names = [common(plane.description) for plane in planes]
    if "" in names or len(set(names)) < len(names):
        if len(planes) == 1:
            return {"data": planes[0]}
        raise DataError(
            f"{path.name} has {len(planes)} bands described as {[p.description for p in planes]}; "
            "wanted a name each, such as red or nir08 (rasterio's set_band_description)"
        )
    return dict(zip(names, planes, strict=True))


def common(name: str) -> str:
    """The common name of a band that others call otherwise.

    Examples
    --------
    >>> common("NIR"), common("red"), common("swir_2")
    ('nir08', 'red', 'swir22')
    """
    lower = name.strip().lower().replace(" ", "_")
    return landsat.SYNONYMS.get(lower, lower)


def _of_images(paths: Sequence[Path]) -> list[Callable[[], Scene]]:
    """What makes scenes of files without metadata: bands of a product together, stacks alone."""
    loose: dict[str, list[tuple[Path, str, str]]] = {}
    stacks: dict[str, Path] = {}
    for path in paths:
        ending = landsat.split_ending(path.stem)
        if ending is None:
            stacks[path.stem] = path
        else:
            loose.setdefault(ending[0], []).append((path, *ending[1:]))
    jobs: list[Callable[[], Scene]] = []
    unread: list[str] = []
    for stem, path in stacks.items():
        beside = loose.pop(stem, [])
        unread += [p.name for p, _, name in beside if name == "qa"]
        layers = {name: p for p, kind, name in beside if kind == "quality"}
        jobs.append(partial(_of_stack, stem, path, layers))
    if unread:
        tell(
            f"{len(unread)} files such as {unread[0]} are not read, for _qa says no code: call "
            "them _cfmask, _fmask or _pixel_qa, whichever it is, or pass observed= when filling"
        )
    for stem, files in loose.items():
        if any(kind not in ("quality", "other") for _, kind, _ in files):
            jobs.append(partial(_of_bands, stem, files))
    return jobs


def _of_stack(stem: str, path: Path, layers: Mapping[str, Path]) -> Scene:
    """A scene of one file of several bands, and quality layers beside it."""
    quality = {name: inspect(layer)[0] for name, layer in layers.items()}
    bands = _by_description(path)
    scales = {name: plane.said for name, plane in bands.items() if plane.said is not None}
    satellite, sensor = _satellite(stem)
    return Scene(stem, _time(path), satellite, sensor, bands, quality, scales)


def _of_bands(stem: str, files: Sequence[tuple[Path, str, str]]) -> Scene:
    """A scene of Landsat files of one band each, without metadata."""
    satellite, sensor = _satellite(stem)
    if not sensor:
        raise DataError(
            f"{files[0][0].name}: its name tells no Landsat product, so not what its band numbers "
            "mean; give the folder with its _MTL.txt"
        )
    bands: dict[str, Plane] = {}
    quality: dict[str, Plane] = {}
    scales: dict[str, Scale] = {}
    kinds = {kind for _, kind, _ in files}
    wanted = next(k for k in ("sr_b", "sr_band", "toa_band", "b", "st_b") if k in kinds)
    for path, kind, name in files:
        if kind == "quality":
            quality[name] = inspect(path)[0]
        elif kind == wanted and name in landsat.BANDS[sensor]:
            layer = landsat.BANDS[sensor][name]
            bands[layer] = _espa(path) if kind in _NODATA else inspect(path)[0]
            if kind in _LEVEL_2:
                scales[layer] = _LEVEL_2[kind]
    if not bands:
        raise DataError(f"{stem} has no band of reflected light among {[f[0].name for f in files]}")
    found = (stem, _time(files[0][0]), satellite, sensor)
    return Scene(*found, bands, quality, scales, {"sr_b": True, "sr_band": True}.get(wanted, False))


def _satellite(stem: str) -> tuple[int, str]:
    if (name := landsat.read_name(stem)) is not None:
        return name.satellite, name.sensor
    first = stem.split("_")[0].lower()
    return {"etm": (7, "etm"), "oli": (0, "oli"), "tm": (0, "tm")}.get(first, (0, ""))


def _time(path: Path) -> np.datetime64:
    """The date in a file's name."""
    if (name := landsat.read_name(path.stem)) is not None:
        return name.day
    for match in _DATE.finditer(path.stem):
        year, month, day, *clock = match.groups()
        try:
            return np.datetime64(f"{year}-{month}-{day}T{':'.join(c or '00' for c in clock)}", "ns")
        except ValueError:
            continue
    raise DataError(
        f"{path.name}: its name holds no date; rename it to <place>_<yyyymmdd>{path.suffix}"
    )
