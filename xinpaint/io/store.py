"""The output of a fill job: a Zarr store whose `fill_status` says which blocks are done."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import xarray as xr
import zarr
from zarr.codecs import Crc32cCodec, ZstdCodec

from xinpaint.cube import schema
from xinpaint.errors import JobError
from xinpaint.io import source
from xinpaint.io.chunks import Chunks, dims_of
from xinpaint.io.jobspec import Job, chunks_of, name_of
from xinpaint.io.ledger import WORDS, Ledger, plain, signed
from xinpaint.io.result import Result
from xinpaint.io.target import STATUS, Target, target


def check_place(src: str, dst: Target) -> None:
    """Refuse an output that would touch its source or something that is not ours.

    Raises
    ------
    JobError
    """
    there = dst.name.removeprefix("icechunk://")
    kind = PurePosixPath if "://" in src else Path
    given, place = kind(src), kind(there)
    alike = ("://" in src) == ("://" in there)
    if alike and (given == place or given in place.parents or place in given.parents):
        raise JobError(
            f"{dst.name} is, holds or lies in the source {src}: choose another path, outside of "
            "the source"
        )
    if dst.taken():
        raise JobError(
            f"{dst.name} exists: choose another path or remove it first; it is no output of a fill "
            "job"
        )


def create(job: Job, head: xr.Dataset, result: Result, place: Target | None = None) -> None:
    """Lay out the store elsewhere, then put it in its place: what is there is whole.

    Parameters
    ----------
    job : Job
    head : Dataset
        The source's header.
    result : Result
    place : Target, optional
        The job's output, where it is not just a path.

    Raises
    ------
    OSError
        Where nothing can be written there.
    """
    place = place or target(job.dst, job.access)
    with _laid_out(job, head, result, place) as made:
        place.put(made)


def grow(job: Job, head: xr.Dataset, result: Result, ledger: Ledger) -> None:
    """Make a store ready for a cube that has more dates; killed anywhere, it can be done again.

    Chunks of whole blocks stay as they are. The intention is written first and the new job last,
    so that nothing runs on a store that is half grown.

    Parameters
    ----------
    job, head, result
        Of the longer cube.
    ledger : Ledger
        Of the store, under its lock.
    """
    time, y, x = job.told["dims"]
    place = ledger.target
    _check_own(job, head, place)
    ledger.begin_growth(job)
    group: Any = zarr.open_group(place.zarr(write=True), mode="r+", use_consolidated=False)
    with _laid_out(job, head, result, place) as made:
        for name, array in group.arrays():
            dims = array.metadata.dimension_names or ()
            if name == STATUS or time not in dims:
                continue
            if {y, x} <= set(dims):
                sizes = zip(dims, array.shape, strict=True)
                array.resize(tuple(job.shape[0] if dim == time else n for dim, n in sizes))
            else:
                place.replace(made, name)
    ledger.end_growth(job)


def _check_own(job: Job, head: xr.Dataset, place: Target) -> None:
    """Raise JobError where the store has variables that nobody could make longer."""
    time, y, x = job.told["dims"]
    group: Any = zarr.open_group(place.zarr(), mode="r", use_consolidated=False)
    timed = {n for n, a in group.arrays() if time in dims_of(a) and not {y, x} <= set(dims_of(a))}
    if own := sorted(timed - {*map(str, head.variables)}):
        raise JobError(
            f"{place.name} has {own}, which the job did not write, along {time}: with more dates "
            "the store would not open. Keep them elsewhere and remove them from the store, append, "
            "then write them again for all dates"
        )


def mend(
    job: Job,
    head: xr.Dataset,
    result: Result,
    names: Sequence[str],
    ledger: Ledger,
    known: Mapping[str, Chunks],
) -> None:
    """Lay out arrays again: metadata, and the values of small variables such as coordinates.

    `known` are chunks that an array had: its files may be there still.
    """
    place = ledger.target
    with _laid_out(job, head, result, place, known) as made:
        for name in names:
            place.replace(made, name)


@contextmanager
def _laid_out(
    job: Job,
    head: xr.Dataset,
    result: Result,
    place: Target,
    known: Mapping[str, Chunks] | None = None,
) -> Iterator[Path]:
    """Lay out an empty store of the job in a folder, for as long as it is needed."""
    part = place.room()
    template = _template(job, head, result)
    for name, variable in template.variables.items():
        variable.encoding |= {k: tuple(v) for k, v in (known or {}).get(str(name), {}).items()}
    call = {"src": job.src, "method": None, "options": dict(job.options)}
    call |= {"method": job.method} if isinstance(job.method, str) else {}
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Consolidated metadata")
            template.to_zarr(part, mode="w-", compute=False, zarr_format=3, consolidated=False)
            laid = {str(n): _cut(v) for n, v in template.variables.items() if n != STATUS}
            attrs = {"call": call, "complete": False, "arrays": laid, **signed(job, [])}
            zarr.open_array(part / STATUS, mode="r+").attrs.update(plain(attrs))
            zarr.consolidate_metadata(part)
        yield part
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _template(job: Job, head: xr.Dataset, result: Result) -> xr.Dataset:
    """The accessor's own result, ready to be written without its pixels."""
    filled = result.layout(head, name_of(job.method))
    raw = source.open_source(job.src, job.access)
    cube = schema.read(head)
    large = set(source.gridded(filled, cube))
    bands = {layer.name: group for group in cube.groups for layer in group.layers}
    made = filled.copy()
    for name, variable in filled.variables.items():
        if name not in large and variable.chunks is not None:  # a stand-in for something small
            small = xr.Variable(variable.dims, raw.variables[name].values, variable.attrs)
            is_coord = name in raw.coords
            made = made.assign_coords({name: small}) if is_coord else made.assign({name: small})
        encoding = source.packing(variable)
        if name in large and result.same_dates:
            band = name if name in raw.variables else _band(name, bands)
            dims = bands[band].dims if band in bands else cube.groups[0].dims
            encoding |= chunks_of(job, raw, dims, band)
        elif name in large:
            sides = dict(zip(job.told["dims"], job.block, strict=True)) | {job.told["dims"][0]: 0}
            sizes = zip(variable.dims, variable.shape, strict=True)
            encoding["chunks"] = tuple(min(sides.get(str(d)) or n, n) for d, n in sizes)
        encoding["compressors"] = (ZstdCodec(level=3), Crc32cCodec())
        if name in bands and (missing := _stored_nodata(variable)) is not None:
            encoding["fill_value"] = missing  # what a block that is not done reads as
        if name not in large:  # so that a chunk that is lost can be told
            encoding["write_empty_chunks"] = True
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


def _cut(variable: xr.Variable) -> dict[str, list[int]]:
    """How a variable will be cut into files, where that is given; as `chunks_in` tells it later."""
    said = {key: variable.encoding.get(key) for key in ("chunks", "shards")}
    return {key: list(sides) for key, sides in said.items() if sides}


def _stored_nodata(variable: xr.Variable) -> Any:
    """Nodata of a band as it is stored; None where it has none that its dtype can hold."""
    dtype = np.dtype(variable.encoding.get("dtype", variable.dtype))
    told, attrs = variable.encoding, variable.attrs
    said = (told.get("_FillValue"), attrs.get("_FillValue"), attrs.get("nodata"))
    for number in (np.ravel(n)[0] for n in said if isinstance(n, int | float | np.generic)):
        with np.errstate(all="ignore"):
            stored = np.asarray(number).astype(dtype)
        if dtype.kind == "f" or (dtype.kind in "iu" and stored == number):
            return stored[()]
    return dtype.type(np.nan) if dtype.kind == "f" else None


def _band(name: Hashable, bands: Mapping[Hashable, Any]) -> Hashable:
    stems = (str(name).removesuffix("_std"), str(name).removesuffix("_provenance"))
    return next(band for band in bands if str(band) in stems)
