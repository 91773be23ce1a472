"""What a fill job is: its blocks, and everything that decides a byte of its output."""

from __future__ import annotations

import math
import os
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import xarray as xr

from xinpaint.core.tiling import Halo, Tile, tile_at, widened
from xinpaint.cube import schema
from xinpaint.cube.masking import Dims
from xinpaint.errors import JobError, WeightsError
from xinpaint.io import source
from xinpaint.io.blocks import Asked, sides_of
from xinpaint.io.own import token
from xinpaint.io.result import Result, result
from xinpaint.io.shards import Inner, inner_chunks, sharded
from xinpaint.methods.base import Filler
from xinpaint.version import __version__


@dataclass(frozen=True, eq=False)
class Job:
    """All that a worker needs; small and picklable. Weights travel as name and sha256.

    Parameters
    ----------
    src, dst : str
        Zarr stores, seen alike by every worker.
    method : str or Filler
    options : mapping
        The method's own.
    weights : str
        sha256 of the weights; empty for a method without.
    shape, block : (int, int, int)
        Of the cube and of a block, along (time, y, x).
    halo : Halo
        What is read around a block.
    dates : tuple of int
        How many dates the cube had when it was begun, and after each `append`. Dates of one
        entry never look at those of a later one, so that an old date stays as it is.
    told : mapping
        Everything that decides the output, as JSON values; a resumed job must say the same.
    kept : int
        Dates before this one are in the store already and stay there.
    shards : (int, int, int), optional
        Pixels of a chunk along (time, y, x), where a block is one shard of such chunks.
    access : mapping
        What fsspec needs to open a URL; goes to the workers and nowhere else.
    threads : int
        Of a net on a CPU, whose last bits depend on them: whoever resumes or mends uses as many.
        0 = as the process has.
    fork : bytes
        Where workers write apart and the driver commits: what they write into.
    run : str
        This run and no other: source and store may be others by the next, under the same names.
    store : str
        What the store says that it is: workers may outlive their driver, and write into no other.
    """

    src: str
    dst: str
    method: str | Filler
    options: Mapping[str, Any]
    weights: str
    shape: tuple[int, int, int]
    block: tuple[int, int, int]
    halo: Halo
    dates: tuple[int, ...]
    told: Mapping[str, Any] = field(default_factory=dict)
    kept: int = 0
    shards: tuple[int, int, int] | None = None
    access: Mapping[str, Any] = field(default_factory=dict, repr=False)
    threads: int = 0
    fork: bytes = field(default=b"", repr=False)
    run: str = field(default_factory=lambda: uuid4().hex, repr=False)
    store: str = field(default="", repr=False)

    @property
    def id(self) -> str:
        """The sha256 of what the job says of itself."""
        return source.digest(self.told)

    @property
    def counts(self) -> tuple[int, int, int]:
        """Blocks along (time, y, x)."""
        t, y, x = (math.ceil(n / step) for n, step in zip(self.shape, self.block, strict=True))
        return t, y, x

    def tile(self, index: tuple[int, int, int]) -> Tile:
        """What is read and written for a block."""
        return tile_at(self.shape, self.block, self.halo, index)

    def parts(self, index: tuple[int, int, int]) -> list[Tile]:
        """A block cut along time where the cube was appended to, without the dates it keeps."""
        whole, made, first = self.tile(index), [], 0
        for last in self.dates:
            (begin, end), size = whole.core[0], (last, *self.shape[1:])
            core = (max(begin, first, self.kept), min(end, last))
            first = last
            if core[0] < core[1]:
                part = Tile((core, *whole.core[1:]), whole.padded)
                made.append(widened(part, size, self.halo))
        return made

    def result(self, cube: schema.Cube) -> Result:
        """What the method makes, ready in this process and suited to the whole cube.

        Raises
        ------
        WeightsError
            Where the weights here are not those of the job.
        """
        made = result(self.method, self.options)
        if (found := weights_of(made.maker)) != self.weights:
            raise WeightsError(
                f"the weights of {self.method!r} here have sha256 {found[:12]}…, the job's "
                f"{self.weights[:12]}…; give every worker the same file"
            )
        return made.suited(cube, warn=False)  # `plan` did


def weights_of(maker: Any) -> str:
    """The sha256 of the weights of a filler or classifier; empty where it has none."""
    return str((getattr(maker, "attrs", None) or {}).get("xinpaint_weights_sha256", ""))


def name_of(method: str | Filler) -> str:
    """The method's name for attrs."""
    return method if isinstance(method, str) else type(method).__name__


def plan(
    src: str,
    dst: str,
    method: str | Filler,
    options: Mapping[str, Any],
    block: Asked = None,
    *,
    before: Mapping[str, Any] | None = None,
    shards: Inner = None,
    access: Mapping[str, Any] | None = None,
) -> tuple[Job, xr.Dataset, Result]:
    """Describe a job; reads the source's metadata and coordinates only.

    Parameters
    ----------
    src, dst, method, options, block, shards
        As in `xinpaint.io.job.fill`.
    access : mapping, optional
        What fsspec needs to open a URL.
    before : mapping, optional
        What the store's job said, where there is one: its blocks are kept.

    Returns
    -------
    Job, Dataset, Result
        The job, the source's header, what the method makes of it.

    Raises
    ------
    DataError, JobError, MethodError, SchemaError, WeightsError
    """
    options = {key: _plain(key, value) for key, value in options.items()}
    if not isinstance(method, str) and options:
        raise JobError(f"options {sorted(options)} belong to a method's name, not to a filler")
    made = result(method, options, shards=shards)
    raw = source.open_source(src, access)
    source.check_finished(src, raw)
    head = source.header(raw)
    cube = schema.read(head)
    made = made.suited(cube)
    halo, shape = made.halo, _shape(head, cube)
    sides, dates = sides_of(shape, halo, _band_chunk(raw, cube), block, before), [shape[0]]
    if before is not None:
        shards = before.get("shards") or shards if shards in (None, True) else shards
        dates = [n for n in before["dates"] if n < shape[0]] + dates
    weights = weights_of(made.maker)
    named = _said(options, made.maker, before) if isinstance(method, str) else token(method)
    told = {
        "method": name_of(method),
        "options": named if isinstance(named, dict) else {"token": named},
        "weights": weights,
        "version": __version__,
        "shape": list(shape),
        "block": list(sides),
        "halo": [halo.t, halo.y, halo.x],
        "dates": dates,
        "dims": _dims(cube),
        **source.identity(raw, before),
    }
    inner = inner_chunks(sides, shape, _band_chunk(raw, cube), shards)
    told |= {"shards": list(inner)} if inner else {}
    known = (src, dst, method, options, weights, shape, sides, halo, tuple(dates), told)
    job = Job(*known, shards=inner, access=dict(access or {}))
    return with_threads(job, int((before or {}).get("threads", 0))), head, made


def with_threads(job: Job, count: int) -> Job:
    """The job, whose net, if it has one, computes with so many threads; 0 = as it is."""
    if not (count and job.weights):
        return job
    return replace(job, told={**job.told, "threads": count}, threads=count)


def chunks_of(job: Job, raw: xr.Dataset, dims: Dims, name: Hashable) -> dict[str, tuple[int, ...]]:
    """Output chunk of a variable: the source's where a block is whole chunks of it, else the block.

    With shards also these. ``<band>_std`` and ``<band>_provenance`` are asked for by the band's
    name.
    """
    if job.shards is not None:
        return sharded(job.block, job.shards, dims, raw[name])
    own = source.chunk_of(raw, name)
    sides = dict(zip((dims.time, dims.y, dims.x), job.block, strict=True))
    made = []
    for dim, size in zip(raw[name].dims, raw[name].shape, strict=True):
        side = min(sides.get(dim, size), size)
        # along time an end is no end: the cube may grow, and a chunk belongs to one block
        ends = side == size and dim != dims.time
        fits = dim not in sides or ends or own[dim] >= side or side % own[dim] == 0
        made.append(min(own[dim], side) if fits else side)
    return {"chunks": tuple(made)}


def _said(
    options: Mapping[str, Any], maker: Any, before: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Options but the weights; as the store says them where they mean the same.

    A default may be given or left out.
    """
    given = {key: value for key, value in options.items() if key != "weights"}
    there = dict((before or {}).get("options", {}))
    usual = {one.name: one.default for one in fields(maker)}
    usual |= {"context": "auto"} if "context" in usual else {}  # by its name it is
    return there if {**usual, **there} == {**usual, **given} else given


def _plain(key: str, value: Any) -> Any:
    """A path as an absolute string, so that it means the same elsewhere; a number as Python's."""
    if isinstance(value, np.generic):
        return value.item()
    is_file = key == "weights" and isinstance(value, str) and Path(value).is_file()
    return str(Path(value).resolve()) if is_file or isinstance(value, os.PathLike) else value


def _shape(head: xr.Dataset, cube: schema.Cube) -> tuple[int, int, int]:
    dims = max((group.dims for group in cube.groups), key=lambda d: d.time is not None)
    t = 1 if dims.time is None else head.sizes[dims.time]
    return t, head.sizes[dims.y], head.sizes[dims.x]


def _dims(cube: schema.Cube) -> list[str]:
    dims = max((group.dims for group in cube.groups), key=lambda d: d.time is not None)
    return [str(dims.time), str(dims.y), str(dims.x)]


def _band_chunk(raw: xr.Dataset, cube: schema.Cube) -> tuple[int, int, int]:
    group = max(cube.groups, key=lambda g: g.dims.time is not None)
    own = source.chunk_of(raw, group.layers[0].name)
    dims = group.dims
    return (1 if dims.time is None else own[dims.time], own[dims.y], own[dims.x])
