"""Look at what a fill job left: open it, count it, prove its chunks, mend them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import xarray as xr
import zarr

from xinpaint.core.notes import tell
from xinpaint.errors import JobError
from xinpaint.io.drive import told_if_full
from xinpaint.io.job import check_same, run
from xinpaint.io.jobspec import plan
from xinpaint.io.ledger import COPIED, DONE, EMPTY, Ledger, block_name
from xinpaint.io.report import Report, in_words
from xinpaint.io.target import STATUS, Target, target
from xinpaint.io.whole import Arrays, Index, arrays, chosen, damaged, heal


@dataclass(frozen=True)
class Verdict:
    """What `verify` found.

    Parameters
    ----------
    blocks : mapping of str to int
        Blocks by status, after a repair if there was one.
    missing, corrupted : tuple of str
        Blocks that are marked done but lack a chunk, or hold one that does not read; named by
        their place along time, y and x. An array that is not there or does not open, and a small
        variable, such as a coordinate, that does not read, go by their names.
    repaired : int
        How many of these were written or laid out again.
    begun : str
        What was begun with the arrays and did not end, such as an `append` that was killed.

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
    begun: str = ""

    @property
    def ok(self) -> bool:
        """Whether all blocks are done and as they should be."""
        bad = len(self.missing) + len(self.corrupted) - self.repaired
        return not (self.blocks["pending"] or self.blocks["failed"] or bad or self.begun)

    def __str__(self) -> str:
        """A few lines for people."""
        counts = ", ".join(f"{count:,} {word}" for word, count in self.blocks.items() if count)
        lines = [f"{in_words(sum(self.blocks.values()))}: {counts}"]
        for word, names in (("missing", self.missing), ("corrupted", self.corrupted)):
            lines += [f"{word}: {', '.join(names)}"] if names else []
        lines += [f"repaired: {self.repaired}"] if self.repaired else []
        lines += [self.begun] if self.begun else []
        return "\n".join([*lines, "ok" if self.ok else "not complete"])


def open_filled(
    dst: Any, *, strict: bool = False, storage_options: Mapping[str, Any] | None = None
) -> xr.Dataset:
    """Open a filled store lazily, as the accessor would have given it.

    Parameters
    ----------
    dst : str, path or icechunk.Repository
    strict : bool
        Raise instead of warning while blocks are unfinished; these read as nodata, NaN where
        bands are floats, or 0 where they have neither; their provenance is 0.
    storage_options : mapping, optional
        What fsspec needs to open a URL.

    Raises
    ------
    JobError
        Where the store is no output of a fill job, is being extended or its metadata is damaged;
        with `strict`, where it is unfinished.

    Examples
    --------
    >>> ds = xinpaint.open_filled("filled.zarr", strict=True)  # doctest: +SKIP
    """
    ledger = Ledger(target(dst, storage_options))
    _check_no_growth(ledger)
    if not (ledger.finished and ledger.attrs["complete"]):
        counts = ledger.counts()
        told = (
            f"{ledger.target.name} is unfinished: {counts['pending']} of {ledger.status.size} "
            f"blocks are pending, {counts['failed']} failed; "
            + (ledger.begun or "run the same fill again to go on")
        )
        if strict:
            raise JobError(told)
        tell(told)
    store = ledger.target.zarr()
    try:
        gathered = zarr.open_group(store, mode="r").metadata.consolidated_metadata is not None
    except Exception as error:  # each store raises its own
        name = ledger.target.name
        raise JobError(
            f"the metadata of {name} is damaged ({error}): xinpaint.verify({name!r}, repair=True) "
            "lays it out again"
        ) from error
    opened: xr.Dataset = xr.open_zarr(store, decode_coords="all", chunks={}, consolidated=gathered)
    return opened.drop_vars(STATUS)


def _check_no_growth(ledger: Ledger) -> None:
    """Raise JobError where some arrays have the dates of a longer cube and others do not."""
    if ledger.attrs.get("growing"):
        raise JobError(f"{ledger.target.name} cannot be used yet, {ledger.begun}")


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
    return Report(ledger.counts(), ledger.failures, notes=ledger.notes, begun=ledger.begun)


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
        Fill the blocks that are missing or corrupted again, and lay such arrays out again; the
        others stay as they are.
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
    found = arrays(ledger, deep=deep)
    blocks = damaged(ledger, found.large, deep=deep)
    repaired = 0
    if repair and (found.bad or ledger.begun or any(blocks.values())):
        blocks, repaired = _repair(place, found, blocks, storage_options or {})
    names = {word: [block_name(index) for index in group] for word, group in blocks.items()}
    ledger = Ledger(place)
    return Verdict(
        ledger.counts(),
        (*names["missing"], *found.missing),
        (*names["corrupted"], *found.corrupted),
        repaired,
        ledger.begun,
    )


def _repair(
    place: Target, found: Arrays, blocks: dict[str, list[Index]], access: Mapping[str, Any]
) -> tuple[dict[str, list[Index]], int]:
    """Lay arrays out anew, make blocks pending and run the job for them; which, and how many."""
    bad = [*blocks["missing"], *blocks["corrupted"]]
    with told_if_full(place), place.locked() as held:
        ledger = Ledger(place, held)
        _check_no_growth(ledger)
        call, told = ledger.attrs["call"], ledger.attrs["job"]
        if call["method"] is None:
            ledger.say({"complete": False}, gather=not found.bad)  # what is bad may not read
            ledger.reset(chosen(ledger, bad))
            raise JobError(
                f"pending again: {in_words(len(bad))}, made by a filler of your own; "
                "run the same fill again to write them"
                + (f", and to lay out {found.bad}" if found.bad else "")
            )
        where = (call["src"], place.name, call["method"], call["options"])
        job, head, result = plan(*where, before=told, access=access)
        check_same(job, ledger)
        lost = heal(job, head, result, ledger)
        blocks["missing"] += [index for index in lost if index not in bad]
        bad = [*blocks["missing"], *blocks["corrupted"]]
        ledger.reset(chosen(ledger, bad))
        run(job, ledger, (None, None), retry_failed=False, progress=False)
        mended = sum(int(ledger.status[i]) in (DONE, COPIED, EMPTY) for i in bad)
    return blocks, len(found.bad) + mended
