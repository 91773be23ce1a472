"""Fill a cube of any size, block by block, into a store that survives being killed."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr

from xinpaint.core.notes import tell
from xinpaint.errors import JobError
from xinpaint.io import source, work
from xinpaint.io.blocks import Asked
from xinpaint.io.drive import Driver, told_if_full
from xinpaint.io.engine import check_where, engine, net_threads
from xinpaint.io.jobspec import Job, plan, with_threads
from xinpaint.io.ledger import COPIED, DONE, EMPTY, FAILED, GROWN, WORDS, Ledger, differences, plain
from xinpaint.io.opened import opened_here
from xinpaint.io.report import Report
from xinpaint.io.result import SEASONALITY
from xinpaint.io.result import result as described
from xinpaint.io.store import check_place, create
from xinpaint.io.target import access_to, target
from xinpaint.io.whole import heal
from xinpaint.io.work import cpus
from xinpaint.methods.base import Filler

Place = str | os.PathLike[str]
#: What a job tells of its source by a hash, in words.
HASHED = {"grid": "coordinates", "source": "variables, attributes or packing"}


def fill(
    src: Place,
    dst: Place,
    method: str | Filler = "convnp",
    *,
    client: Any = None,
    workers: int | None = None,
    block: Asked = None,
    retry_failed: bool = False,
    dry_run: bool = False,
    **options: Any,
) -> Report:
    """Fill a Zarr cube into a new Zarr store; the same call again goes on where it stopped.

    The answer is that of the accessor, ``ds.inpaint.<method>()``. Each block is read from the
    source, filled and written by itself, so neither a graph nor memory grows with the cube. A
    block that fails is recorded with its cause, and the others go on.

    Parameters
    ----------
    src : str or path
        Zarr store, or a URL that fsspec opens, such as ``s3://bucket/cube.zarr``; one variable a
        band.
    dst : str, path or icechunk.Repository
        Folder or URL of an object store to write, Zarr v3; or ``icechunk://PATH``, or a repository.
        New, or begun by the same call.
    method : str or Filler
        A method's name, or a filler of your own (picklable); or ``"seasonality"``, which writes
        the classes of water that ``ds.water.seasonality()`` gives instead of filled bands.
    client : distributed.Client, optional
        A dask cluster whose workers see `src` and `dst` under the same names.
    workers : int, optional
        So many processes of this machine; without it, threads of this process. A script that asks
        for processes needs the usual ``if __name__ == "__main__":``.
    block : int, (y, x) or (dates, y, x), optional
        Pixels of a block; by default whole source chunks of at least 512 pixels and 8 dates, and
        four times what the method looks around.
    retry_failed : bool
        Try the blocks that failed before once more.
    dry_run : bool
        Write nothing; time three blocks and say what to expect.
    **options
        The method's own, such as ``weights`` or ``device`` (of ``"seasonality"`` also ``window``,
        ``step``, ``scale`` and ``offset``); ``progress=False`` for no bar;
        ``shards=True`` for one file (shard) a block, or the pixels of the chunks in it: a side,
        (y, x) or (dates, y, x); ``storage_options=``, what fsspec needs to open URLs, which is
        written nowhere.

    Returns
    -------
    Report
        Blocks by status, failures with causes, seconds, rates.

    Raises
    ------
    JobError
        Where the output is not ours, is being filled, or was begun with other settings.
    DataError, MethodError, SchemaError, WeightsError, DeviceError
        Where source, method or weights do not fit; nothing is written then.

    Examples
    --------
    >>> report = xinpaint.fill("cube.zarr", "filled.zarr", workers=4)  # doctest: +SKIP
    """
    progress = bool(options.pop("progress", True))
    shards, access = options.pop("shards", None), access_to(options.pop("storage_options", None))
    described(method, options, shards=shards)  # a wrong one is told before anything else
    given, place = source.located(src), target(dst, access)
    check_place(given, place)
    check_reach((given, place.name), client, workers, method)
    ledger = Ledger(place) if place.ours() else None
    there = ledger.attrs["job"] if ledger is not None else None
    extra = {"before": there, "shards": shards, "access": access}
    job, head, result = plan(given, place.name, method, options, block, **extra)
    if job.weights:
        count = net_threads(client, workers) if there is None else int(there.get("threads", 0))
        job = with_threads(job, count)
    if ledger is not None:
        check_same(job, ledger)
    if dry_run:
        return _estimate(job, head, workers)
    if place.whole and not place.ours():
        with told_if_full(place):
            create(job, head, result, place)
    with told_if_full(place), place.locked() as held:
        if not (begun := place.ours()):
            create(job, head, result, place)
        ledger = Ledger(place, held)
        check_same(job, ledger)
        if begun:
            heal(job, head, result, ledger)
        _note_call(job, ledger)
        return run(job, ledger, (client, workers), retry_failed=retry_failed, progress=progress)


def _note_call(job: Job, ledger: Ledger) -> None:
    """Warn where the source lies elsewhere than before; whoever mends the store reads this one.

    And these weights, whose file may lie elsewhere too.
    """
    before = ledger.attrs["call"]
    now = {**before, "src": job.src, "options": plain(job.options)}
    if before["src"] != job.src and np.isin(ledger.status, (DONE, COPIED, EMPTY)).any():
        tell(
            f"{job.dst} was begun from {before['src']} and goes on from {job.src}, a cube of the "
            "same grid and variables; its pixels are not compared. If they differ, fill a new "
            "store"
        )
    if before != now:
        ledger.say({"call": now})


def check_reach(names: Sequence[str], client: Any, workers: int | None, method: Any) -> None:
    """Raise JobError where there is no such engine, or it cannot see the source or the output."""
    check_where(client, workers, method)
    if workers is None and client is None:
        return
    for name in names:
        if name.startswith("memory://"):
            raise JobError(f"{name} is seen by this process alone: leave workers and client out")


def check_same(job: Job, ledger: Ledger) -> None:
    """Raise JobError where the store was begun with anything else than this job."""
    there = ledger.attrs["job"]
    found = differences(job, there)
    if ledger.attrs.get("growing"):
        raise JobError(f"{job.dst} cannot be filled yet, {ledger.begun} (xinpaint append SRC DST)")
    if job.dates[-1] > there["dates"][-1] and job.method != SEASONALITY:
        raise JobError(
            f"{job.dst} was filled when the source had {there['dates']} dates, it has "
            f"{job.dates[-1]} now: use append (xinpaint append SRC DST) if the new dates come "
            "after the old ones, else fill into a new store"
        )
    if found:
        raise JobError(
            f"{job.dst} exists: choose another path, or ask for what it was begun with. "
            f"Different: {told(found)}"
        )


def told(found: Mapping[str, tuple[Any, Any]]) -> str:
    """Say in words what differs between a store's job and another."""
    return "; ".join(_told(key, *pair) for key, pair in found.items())


def _told(key: str, there: Any, here: Any) -> str:
    if key in HASHED:
        return f"the {HASHED[key]} of the source"
    own = ["token" in (said or {}) for said in (there, here)]
    if key == "options" and any(own):
        more = " (what it changes in `fill` should not count: leave it out in its `__getstate__`)"
        return "the filler, or what it holds" + (more if all(own) else "")
    return f"{key}: {there!r} there, {here!r} now"


def run(
    job: Job, ledger: Ledger, where: tuple[Any, int | None], *, retry_failed: bool, progress: bool
) -> Report:
    """Do what is left, under the store's lock, and say how it went.

    Parameters
    ----------
    job : Job
    ledger : Ledger
    where : (client, workers)
    retry_failed, progress : bool
        As in `fill`.
    """
    begun = time.monotonic()
    if retry_failed:
        ledger.reset(ledger.status == FAILED)
    if not (ledger.finished and ledger.attrs["complete"]):
        ledger.sweep()
    try:
        done, pixels = (0, 0) if ledger.finished else _drive(job, ledger, where, progress)
    finally:
        ledger.flush(last=True)
    ledger.mark(complete=ledger.finished and not ledger.begun)
    seconds = time.monotonic() - begun
    made = Report(ledger.counts(), dict(ledger.failures), seconds, done, pixels)
    return replace(made, notes=dict(ledger.notes))


def _drive(
    job: Job, ledger: Ledger, where: tuple[Any, int | None], progress: bool
) -> tuple[int, int]:
    """Run what is pending, with a bar; blocks and pixels that were done."""
    from tqdm import tqdm

    left, size = ledger.counts()["pending"], ledger.status.size
    patience = 0.5 if sys.stderr.isatty() else 10.0
    workers = engine(*where, job, left)
    with tqdm(
        total=size, initial=size - left, unit="block", mininterval=patience, disable=not progress
    ) as bar:
        driver = Driver(job, ledger, workers, bar)
        try:
            driver.run()
        finally:
            workers.close()
    return driver.blocks, driver.pixels


def _estimate(job: Job, head: xr.Dataset, workers: int | None) -> Report:
    """Time three blocks from across the cube, without writing them."""
    opened = opened_here(job, store=False)
    places = {tuple(n * k // 4 for n in job.counts) for k in (1, 2, 3)}
    seconds, written, area, around = 0.0, 0.0, 0.0, 0.0
    for number, place in enumerate([min(places), *places]):
        tile = job.tile((place[0], place[1], place[2]))
        begun = time.monotonic()
        made = opened.result.make(work.read_here(opened, tile))
        if number:  # the first loads the net
            seconds += (time.monotonic() - begun) / len(places)
            written += sum(variable.nbytes for variable in made.values())
            area += float(np.prod([b - a for a, b in tile.core]))
            around = max(around, float(np.prod([b - a for a, b in tile.padded])))
    bands = source.gridded(head, opened.cube)
    per_pixel = sum(head.variables[name].dtype.itemsize for name in bands)
    blocks = int(np.prod(job.counts))
    # a net keeps all processors busy with one block, other methods one of them
    alone = hasattr(opened.result.maker, "device")
    at_once = 1 if alone else min(workers or cpus(), blocks)
    expected = {
        "bytes": written * float(np.prod(job.shape)) / area,
        "memory": per_pixel * around + 2 * written / len(places),
        "seconds": seconds * blocks / at_once,
    }
    counts = dict.fromkeys(WORDS[:GROWN], 0) | {"pending": blocks}
    return Report(counts, estimate=expected)
