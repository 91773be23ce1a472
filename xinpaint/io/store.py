"""The output of a fill job: a Zarr store whose `fill_status` says which blocks are done."""

from __future__ import annotations

import os
import shutil
import warnings
from collections.abc import Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
import zarr
from zarr.codecs import Crc32cCodec, ZstdCodec

from xinpaint.cube import schema
from xinpaint.cube.inpaint import inpaint
from xinpaint.errors import JobError
from xinpaint.io import source
from xinpaint.io.jobspec import Job, chunks_of, name_of
from xinpaint.io.ledger import STATUS, WORDS, Ledger, plain, signed
from xinpaint.methods.base import Filler


def check_place(src: str, dst: str) -> None:
    """Refuse an output that would touch its source or something that is not ours.

    Raises
    ------
    JobError
    """
    if "://" in dst:
        raise JobError(f"{dst}: the output must be a folder on a file system, not a URL")
    place = Path(dst).resolve()
    if "://" not in src:
        given = Path(src).resolve()
        if given == place or given in place.parents or place in given.parents:
            raise JobError(f"{dst} exists: choose another path, outside of the source {src}")
    if place.exists() and not (place / STATUS / "zarr.json").is_file():
        raise JobError(
            f"{dst} exists: choose another path or remove it first; it is no output of a fill job"
        )


def create(job: Job, head: xr.Dataset, filler: Filler) -> None:
    """Lay out the store under another name, then rename: what is there is whole.

    Parameters
    ----------
    job : Job
    head : Dataset
        The source's header.
    filler : Filler

    Raises
    ------
    OSError
        Where nothing can be written there.
    """
    dst = Path(job.dst)
    with _laid_out(job, head, filler) as part:
        try:
            part.rename(dst)
        except OSError:
            if not dst.exists():  # else another driver was first: the lock and the job decide
                raise


def grow(job: Job, head: xr.Dataset, filler: Filler, ledger: Ledger) -> None:
    """Make a store ready for a cube that has more dates; killed anywhere, it can be done again.

    Chunks of whole blocks stay as they are. The intention is written first and the new job last,
    so that nothing runs on a store that is half grown.

    Parameters
    ----------
    job, head, filler
        Of the longer cube.
    ledger : Ledger
        Of the store, under its lock.
    """
    time, y, x = job.told["dims"]
    group: Any = zarr.open_group(job.dst, mode="r+", use_consolidated=False)
    ledger.begin_growth(job)
    with _laid_out(job, head, filler) as part:
        for name, array in group.arrays():
            dims = array.metadata.dimension_names or ()
            if name == STATUS or time not in dims:
                continue
            if {y, x} <= set(dims):
                sizes = zip(dims, array.shape, strict=True)
                array.resize(tuple(job.shape[0] if dim == time else n for dim, n in sizes))
            else:
                _replace(part / name, Path(job.dst) / name)
    ledger.end_growth(job)


def mend(job: Job, head: xr.Dataset, filler: Filler, names: Sequence[str]) -> None:
    """Write small variables, such as coordinates, again as they were laid out."""
    with _laid_out(job, head, filler) as part:
        for name in names:
            _replace(part / name, Path(job.dst) / name)


def _replace(new: Path, old: Path) -> None:
    """Move the files of a small array over those of its shorter self, each at once."""
    for file in sorted(new.rglob("*")):
        if file.is_file():
            place = old / file.relative_to(new)
            place.parent.mkdir(parents=True, exist_ok=True)
            file.replace(place)


@contextmanager
def _laid_out(job: Job, head: xr.Dataset, filler: Filler) -> Iterator[Path]:
    """Lay out an empty store of the job beside it, for as long as it is needed."""
    dst = Path(job.dst)
    dst.parent.mkdir(parents=True, exist_ok=True)
    _sweep_layouts(dst)
    part = dst.with_name(f".{dst.name}.{os.getpid()}.partial")
    template = _template(job, head, inpaint(head, filler, name=name_of(job.method)))
    known = job.method if isinstance(job.method, str) else None
    call = {"src": job.src, "method": known, "options": dict(job.options)}
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Consolidated metadata")
            template.to_zarr(part, mode="w-", compute=False, zarr_format=3, consolidated=False)
            attrs = {"call": call, "complete": False, **signed(job, [])}
            zarr.open_array(part / STATUS, mode="r+").attrs.update(plain(attrs))
            zarr.consolidate_metadata(part)
        yield part
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _template(job: Job, head: xr.Dataset, filled: xr.Dataset) -> xr.Dataset:
    """The accessor's own result, ready to be written without its pixels."""
    raw = source.open_source(job.src)
    cube = schema.read(head)
    large = set(source.gridded(filled, cube))
    bands = {layer.name: group for group in cube.groups for layer in group.layers}
    made = filled.copy()
    for name, variable in filled.variables.items():
        if name not in large and variable.chunks is not None:  # a stand-in for something small
            small = xr.Variable(variable.dims, raw.variables[name].values, variable.attrs)
            is_coord = name in raw.coords
            made = made.assign_coords({name: small}) if is_coord else made.assign({name: small})
        band = name if name in raw.variables else _band(name, bands)
        encoding = source.packing(variable)
        if name in large:
            dims = bands[band].dims if band in bands else cube.groups[0].dims
            encoding["chunks"] = chunks_of(job, raw, dims, band)
        encoding["compressors"] = (ZstdCodec(level=3), Crc32cCodec())
        made.variables[name].encoding = encoding
    blocks = xr.Variable(
        ("block_time", "block_y", "block_x"),
        np.zeros(job.counts, np.uint8),
        {
            "long_name": "status of each block of the fill job",
            "flag_values": np.arange(len(WORDS), dtype=np.uint8),
            "flag_meanings": " ".join(WORDS),
        },
        {"chunks": job.counts, "compressors": (ZstdCodec(), Crc32cCodec())},
    )
    return made.assign({STATUS: blocks})


def _band(name: Hashable, bands: Mapping[Hashable, Any]) -> Hashable:
    stems = (str(name).removesuffix("_std"), str(name).removesuffix("_provenance"))
    return next(band for band in bands if str(band) in stems)


def _sweep_layouts(dst: Path) -> None:
    """Remove layouts that dead drivers left beside the store."""
    for left in dst.parent.glob(f".{dst.name}.*.partial"):
        pid = left.name.split(".")[-2]
        if pid.isdigit() and not _alive(int(pid)):
            shutil.rmtree(left, ignore_errors=True)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
