"""The output of a fill job: a Zarr store whose `fill_status` says which blocks are done."""

from __future__ import annotations

import json
import os
import shutil
import warnings
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
import zarr
from numpy.typing import NDArray
from zarr.codecs import Crc32cCodec, ZstdCodec

from xinpaint.cube import schema
from xinpaint.cube.inpaint import inpaint
from xinpaint.errors import JobError
from xinpaint.io import source
from xinpaint.io.jobspec import Job, chunks_of, name_of
from xinpaint.methods.base import Filler

STATUS = "fill_status"
PENDING, DONE, COPIED, EMPTY, FAILED = range(5)
#: Status codes in words; "copied" had nothing to fill, "empty" nothing to fill from.
WORDS = ("pending", "filled", "copied", "empty", "failed")


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
            attrs = {"job": dict(job.told), "job_id": job.id, "call": call, "complete": False}
            plain = json.loads(json.dumps(attrs, default=str))
            zarr.open_array(part / STATUS, mode="r+").attrs.update(plain)
            zarr.consolidate_metadata(part)
        try:
            part.rename(dst)
        except OSError:
            if not dst.exists():  # else another driver was first: the lock and the job decide
                raise
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


class Ledger:
    """Which blocks are done, and why others failed; only the driver writes it.

    Parameters
    ----------
    dst : str or path
        A store that `create` made.

    Raises
    ------
    JobError
        Where it is none.
    """

    def __init__(self, dst: str | os.PathLike[str]) -> None:
        self.dst = Path(dst)
        if not (self.dst / STATUS / "zarr.json").is_file():
            raise JobError(f"{dst} is no output of a fill job: it has no {STATUS!r}")
        with zarr.config.set({"array.write_empty_chunks": True}):
            self._array: Any = zarr.open_array(self.dst / STATUS, mode="r+")
        self.status: NDArray[np.uint8] = np.asarray(self._array[...])
        self.attrs: dict[str, Any] = dict(self._array.attrs)
        self._causes = self.dst / STATUS / "failures.json"
        self.failures: dict[str, str] = (
            json.loads(self._causes.read_text()) if self._causes.is_file() else {}
        )

    def set(self, index: tuple[int, int, int], code: int, cause: str = "") -> None:
        """Note a block's status; written by the next `flush`."""
        self.status[index] = code
        self.failures.pop(block_name(index), None)
        if code == FAILED:
            self.failures[block_name(index)] = cause

    def reset(self, blocks: NDArray[np.bool_]) -> None:
        """Make blocks pending again, at once, and the store incomplete before."""
        if not blocks.any():
            return
        self.mark(complete=False)
        for index in np.argwhere(blocks):
            self.set((int(index[0]), int(index[1]), int(index[2])), PENDING)
        self.flush()

    def flush(self) -> None:
        """Write causes, then the status of every block as one chunk; each appears whole."""
        part = self._causes.with_suffix(".partial")
        part.write_text(json.dumps(self.failures))
        part.replace(self._causes)
        self._array[...] = self.status

    def counts(self) -> dict[str, int]:
        """Number of blocks by status."""
        found = np.bincount(self.status.ravel(), minlength=len(WORDS))
        return dict(zip(WORDS, found.tolist(), strict=False))

    @property
    def finished(self) -> bool:
        """Whether no block is pending or failed."""
        return bool(np.isin(self.status, (DONE, COPIED, EMPTY)).all())

    def mark(self, *, complete: bool) -> None:
        """Say in the attrs whether the store is complete, and gather its metadata."""
        if self.attrs.get("complete") == complete:
            return
        self._array.attrs["complete"] = complete
        self.attrs["complete"] = complete
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Consolidated metadata")
            zarr.consolidate_metadata(self.dst)

    def sweep(self) -> None:
        """Remove temporary files of writers that were killed, and show that one can write."""
        probe = self.dst / STATUS / "probe.partial"
        probe.write_bytes(b"x")
        for left in self.dst.rglob("*.partial"):
            left.unlink(missing_ok=True)


def block_name(index: tuple[int, ...]) -> str:
    """A block's name: its place in `fill_status` along time, y and x, such as ``0/3/5``."""
    return "/".join(str(place) for place in index)


def differences(job: Job, ledger: Ledger) -> dict[str, tuple[Any, Any]]:
    """What the store's job says otherwise than this one: key -> (there, here)."""
    there = dict(ledger.attrs.get("job", {}))
    here = json.loads(json.dumps(job.told, default=str))
    keys = sorted(there.keys() | here.keys())
    return {k: (there.get(k), here.get(k)) for k in keys if there.get(k) != here.get(k)}
