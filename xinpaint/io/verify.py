"""Look at what a fill job left: open it, count it, prove its chunks, mend them."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
import zarr

from xinpaint.errors import JobError
from xinpaint.io.chunks import damage, dims_of
from xinpaint.io.engine import cpus
from xinpaint.io.job import check_same, run
from xinpaint.io.jobspec import plan
from xinpaint.io.ledger import COPIED, DONE, EMPTY, Ledger, block_name
from xinpaint.io.report import Report, in_words
from xinpaint.io.store import mend
from xinpaint.io.target import STATUS, Target, target

#: How many requests an object store is asked at once.
REQUESTS = 16

#: Along time, y and x: which blocks, as places in `fill_status`.
Index = tuple[int, ...]


@dataclass(frozen=True)
class Verdict:
    """What `verify` found.

    Parameters
    ----------
    blocks : mapping of str to int
        Blocks by status, after a repair if there was one.
    missing, corrupted : tuple of str
        Blocks that are marked done but lack a chunk, or hold one that does not read; named by
        their place along time, y and x. A small variable that does not read goes by its own name.
    repaired : int
        How many of these were written again.

    Examples
    --------
    >>> print(Verdict({"pending": 0, "filled": 4, "failed": 0}, corrupted=("0/1/1",)))
    4 blocks: 4 filled
    corrupted: 0/1/1
    not complete
    """

    blocks: dict[str, int]
    missing: tuple[str, ...] = ()
    corrupted: tuple[str, ...] = ()
    repaired: int = 0

    @property
    def ok(self) -> bool:
        """Whether all blocks are done and as they should be."""
        bad = len(self.missing) + len(self.corrupted) - self.repaired
        return not (self.blocks["pending"] or self.blocks["failed"] or bad)

    def __str__(self) -> str:
        """A few lines for people."""
        counts = ", ".join(f"{count:,} {word}" for word, count in self.blocks.items() if count)
        lines = [f"{in_words(sum(self.blocks.values()))}: {counts}"]
        for word, names in (("missing", self.missing), ("corrupted", self.corrupted)):
            lines += [f"{word}: {', '.join(names)}"] if names else []
        lines += [f"repaired: {self.repaired}"] if self.repaired else []
        return "\n".join([*lines, "ok" if self.ok else "not complete"])


def open_filled(
    dst: Any, *, strict: bool = False, storage_options: Mapping[str, Any] | None = None
) -> xr.Dataset:
    """Open a filled store lazily, as the accessor would have given it.

    Parameters
    ----------
    dst : str, path or icechunk.Repository
    strict : bool
        Raise instead of warning while blocks are unfinished; these read as nodata or 0.
    storage_options : mapping, optional
        What fsspec needs to open a URL.

    Raises
    ------
    JobError
        Where the store is no output of a fill job; with `strict`, where it is unfinished.

    Examples
    --------
    >>> ds = xinpaint.open_filled("filled.zarr", strict=True)  # doctest: +SKIP
    """
    ledger = Ledger(target(dst, storage_options))
    if not (ledger.finished and ledger.attrs["complete"]):
        counts = ledger.counts()
        told = (
            f"{ledger.target.name} is unfinished: {counts['pending']} of {ledger.status.size} "
            f"blocks are pending, {counts['failed']} failed; run the same fill again to go on"
        )
        if strict:
            raise JobError(told)
        warnings.warn(told, UserWarning, stacklevel=2)
    store = ledger.target.zarr()
    gathered = zarr.open_group(store, mode="r").metadata.consolidated_metadata is not None
    opened: xr.Dataset = xr.open_zarr(store, decode_coords="all", chunks={}, consolidated=gathered)
    return opened.drop_vars(STATUS)


def status(dst: Any, *, storage_options: Mapping[str, Any] | None = None) -> Report:
    """Read blocks by status and failures with their causes; cheap, also while it is being filled.

    Parameters
    ----------
    dst, storage_options
        As in `open_filled`.

    Returns
    -------
    Report

    Raises
    ------
    JobError
        Where the store is no output of a fill job.

    Examples
    --------
    >>> print(status("filled.zarr"))  # doctest: +SKIP
    64 blocks: 60 filled, 4 copied
    """
    ledger = Ledger(target(dst, storage_options))
    return Report(ledger.counts(), ledger.failures, notes=ledger.notes)


def verify(
    dst: Any,
    *,
    deep: bool = False,
    repair: bool = False,
    storage_options: Mapping[str, Any] | None = None,
) -> Verdict:
    """Check that every block marked done is there, and with `deep` that every chunk reads.

    Every chunk carries a checksum (crc32c), so a single flipped bit is found.

    Parameters
    ----------
    dst : str, path or icechunk.Repository
    deep : bool
        Read everything.
    repair : bool
        Fill the blocks that are missing or corrupted again; the others stay as they are.
    storage_options : mapping, optional
        What fsspec needs to open URLs, of the store and of its source.

    Returns
    -------
    Verdict

    Raises
    ------
    JobError
        Where the store is no output of a fill job, or is being filled while it should be mended.

    Examples
    --------
    >>> xinpaint.verify("filled.zarr", deep=True).ok  # doctest: +SKIP
    True
    """
    place = target(dst, storage_options)
    ledger = Ledger(place)
    done = np.argwhere(np.isin(ledger.status, (DONE, COPIED, EMPTY)))
    arrays = _arrays(ledger)
    job = ledger.attrs["job"]
    places = [tuple(int(n) for n in index) for index in done]
    with ThreadPoolExecutor(cpus() if place.whole else REQUESTS) as pool:
        found = list(pool.map(lambda index: damage(arrays, job, index, deep=deep), places))
    missing = [index for index, word in zip(places, found, strict=True) if word == "missing"]
    corrupted = [index for index, word in zip(places, found, strict=True) if word == "corrupted"]
    small = _damaged(place, set(arrays)) if deep else []
    bad = [*missing, *corrupted]
    repaired = _repair(place, bad, small, storage_options or {}) if repair else 0
    names = [[block_name(index) for index in group] for group in (missing, corrupted)]
    counts = Ledger(place).counts()
    return Verdict(counts, tuple(names[0]), (*names[1], *small), repaired)


def _arrays(ledger: Ledger) -> dict[str, Any]:
    """The arrays that are written block by block."""
    group = zarr.open_group(ledger.target.zarr(), mode="r", use_consolidated=False)
    _, y, x = ledger.attrs["job"]["dims"]
    found = dict(group.arrays())
    return {name: array for name, array in found.items() if {y, x} <= set(dims_of(array))}


def _damaged(place: Target, large: set[str]) -> list[str]:
    """Small variables, such as coordinates, that do not read."""
    bad = []
    group = zarr.open_group(place.zarr(), mode="r", use_consolidated=False)
    for name, array in group.arrays():
        try:
            if name not in large:
                array[...]
        except Exception:  # each codec and store raises its own
            bad.append(name)
    return bad


def _repair(place: Target, bad: list[Index], small: list[str], access: Mapping[str, Any]) -> int:
    """Make blocks pending and run the job for them; lay small variables out anew."""
    if not (bad or small):
        return 0
    with place.locked() as held:
        ledger = Ledger(place, held)
        again = np.zeros(ledger.status.shape, bool)
        if bad:
            again[tuple(np.transpose(bad))] = True
        ledger.reset(again)
        call, told = ledger.attrs["call"], ledger.attrs["job"]
        if call["method"] is None:
            raise JobError(
                f"pending again: {in_words(len(bad))}, made by a filler of your own; "
                "run the same fill again to write them"
                + (f"; it cannot mend the small variables {small}" if small else "")
            )
        where = (call["src"], place.name, call["method"], call["options"])
        job, head, result = plan(*where, before=told, access=access)
        check_same(job, ledger)
        mend(job, head, result, small, place)
        run(job, ledger, (None, None), retry_failed=False, progress=False)
        return len(small) + sum(int(ledger.status[i]) in (DONE, COPIED, EMPTY) for i in bad)
