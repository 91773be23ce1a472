"""Look at what a fill job left: open it, count it, prove its chunks, mend them."""

from __future__ import annotations

import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
import zarr

from xinpaint.errors import JobError
from xinpaint.io.engine import cpus
from xinpaint.io.job import Place, fill
from xinpaint.io.lock import locked
from xinpaint.io.report import Report
from xinpaint.io.store import COPIED, DONE, EMPTY, STATUS, Ledger, block_name

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
        How many of these blocks were filled again.
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
        lines = [f"{sum(self.blocks.values()):,} blocks: {counts}"]
        for word, names in (("missing", self.missing), ("corrupted", self.corrupted)):
            lines += [f"{word}: {', '.join(names)}"] if names else []
        lines += [f"repaired: {self.repaired}"] if self.repaired else []
        return "\n".join([*lines, "ok" if self.ok else "not complete"])


def open_filled(dst: Place, *, strict: bool = False) -> xr.Dataset:
    """Open a filled store lazily, as the accessor would have given it.

    Parameters
    ----------
    dst : str or path
    strict : bool
        Raise instead of warning while blocks are unfinished; these read as nodata or 0.

    Raises
    ------
    JobError
        Where the store is no output of a fill job; with `strict`, where it is unfinished.
    """
    ledger = Ledger(dst)
    if not (ledger.finished and ledger.attrs["complete"]):
        counts = ledger.counts()
        told = (
            f"{dst} is unfinished: {counts['pending']} of {ledger.status.size} blocks are "
            f"pending, {counts['failed']} failed; run the same fill again to go on"
        )
        if strict:
            raise JobError(told)
        warnings.warn(told, UserWarning, stacklevel=2)
    opened: xr.Dataset = xr.open_zarr(dst, decode_coords="all", chunks={})
    return opened.drop_vars(STATUS)


def status(dst: Place) -> Report:
    """Read blocks by status and failures with their causes; cheap, also while it is being filled.

    Raises
    ------
    JobError
        Where the store is no output of a fill job.
    """
    ledger = Ledger(dst)
    return Report(ledger.counts(), ledger.failures)


def verify(dst: Place, *, deep: bool = False, repair: bool = False) -> Verdict:
    """Check that every block marked done is there, and with `deep` that every chunk reads.

    Every chunk carries a checksum (crc32c), so a single flipped bit is found.

    Parameters
    ----------
    dst : str or path
    deep : bool
        Read everything.
    repair : bool
        Fill the blocks that are missing or corrupted again; the others stay as they are.

    Returns
    -------
    Verdict

    Raises
    ------
    JobError
        Where the store is no output of a fill job, or is being filled while it should be mended.
    """
    ledger = Ledger(dst)
    done = np.argwhere(np.isin(ledger.status, (DONE, COPIED, EMPTY)))
    arrays = _arrays(Path(dst))
    job = ledger.attrs["job"]
    places = [tuple(int(n) for n in index) for index in done]
    with ThreadPoolExecutor(cpus()) as pool:
        found = list(pool.map(lambda index: _look(arrays, job, index, deep), places))
    missing = [index for index, word in zip(places, found, strict=True) if word == "missing"]
    corrupted = [index for index, word in zip(places, found, strict=True) if word == "corrupted"]
    small = _damaged(Path(dst), set(arrays)) if deep else []
    repaired = _repair(dst, [*missing, *corrupted]) if repair else 0
    names = [[block_name(index) for index in group] for group in (missing, corrupted)]
    counts = Ledger(dst).counts()
    return Verdict(counts, tuple(names[0]), (*names[1], *small), repaired)


def _arrays(dst: Path) -> dict[str, Any]:
    """The arrays that are written block by block."""
    group = zarr.open_group(dst, mode="r", use_consolidated=False)
    _, y, x = Ledger(dst).attrs["job"]["dims"]
    found = dict(group.arrays())
    return {name: array for name, array in found.items() if {y, x} <= set(_dims(array))}


def _dims(array: Any) -> tuple[str, ...]:
    return tuple(array.metadata.dimension_names or ())


def _look(arrays: dict[str, Any], job: dict[str, Any], index: Index, deep: bool) -> str:
    """What is wrong with a block: "missing", "corrupted" or nothing."""
    parts = dict(zip(job["dims"], zip(index, job["block"], strict=True), strict=True))
    for array in arrays.values():
        names = _dims(array)
        if job["dims"][0] not in names and index[0] > 0:
            continue
        region = []
        for dim, size in zip(names, array.shape, strict=True):
            place, side = parts.get(dim, (0, size))
            region.append(slice(place * side, min(place * side + side, size)))
        if not _all_there(array, region):
            return "missing"
        try:
            if deep:
                array[tuple(region)]
        except Exception:  # each codec and store raises its own
            return "corrupted"
    return ""


def _all_there(array: Any, region: list[slice]) -> bool:
    folder = Path(array.store.root) / array.path
    ranges = [
        range(part.start // side, -(-part.stop // side))
        for part, side in zip(region, array.chunks, strict=True)
    ]
    keys = (array.metadata.encode_chunk_key(chunk) for chunk in product(*ranges))
    return all((folder / key).is_file() for key in keys)


def _damaged(dst: Path, large: set[str]) -> list[str]:
    """Small variables, such as coordinates, that do not read."""
    bad = []
    group = zarr.open_group(dst, mode="r", use_consolidated=False)
    for name, array in group.arrays():
        try:
            if name not in large:
                array[...]
        except Exception:  # each codec and store raises its own
            bad.append(name)
    return bad


def _repair(dst: Place, bad: list[Index]) -> int:
    """Make blocks pending and run the job for them."""
    if not bad:
        return 0
    with locked(Path(dst) / STATUS / "lock"):
        ledger = Ledger(dst)
        again = np.zeros(ledger.status.shape, bool)
        again[tuple(np.transpose(bad))] = True
        ledger.reset(again)
    call = ledger.attrs["call"]
    if call["method"] is None:
        raise JobError(
            f"{len(bad)} blocks are pending again; they were made by a filler of your own, so "
            "run the same fill again to write them"
        )
    block = tuple(ledger.attrs["job"]["block"])
    fill(call["src"], dst, call["method"], block=block, progress=False, **call["options"])
    now = Ledger(dst).status
    return sum(int(now[index]) in (DONE, COPIED, EMPTY) for index in bad)
