"""The record of a fill job: which blocks are done, why others failed, and what the job is."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid4

import numpy as np
import zarr
from numpy.typing import NDArray

from xinpaint.errors import JobError
from xinpaint.io.jobspec import Job
from xinpaint.io.target import STATUS, Held, Target, target

PENDING, DONE, COPIED, EMPTY, FAILED, GROWN = range(6)
#: Status codes in words; "copied" had nothing to fill, "empty" nothing to fill from, "grown" has
#: its older dates and waits for those that were appended.
WORDS = ("pending", "filled", "copied", "empty", "failed", "grown")

#: Bytes beside the status that are set aside for a full disk.
ASIDE = 2**16


class Ledger:
    """Which blocks are done, and why others failed; only the driver writes it.

    Parameters
    ----------
    dst : str, path or Target
        A store that `xinpaint.io.store.create` made.
    held : callable, optional
        Raises where another driver has taken the store over; asked before anything is written.

    Raises
    ------
    JobError
        Where it is none.
    """

    def __init__(self, dst: Any, held: Held = lambda: None) -> None:
        self.target, self.held = target(dst), held
        if not self.target.ours():
            found = f"it has no {STATUS!r}" if self.target.taken() else "nothing is there"
            raise JobError(
                f"{self.target.name} is no output of a fill job: {found}; check the path"
            )
        try:
            array = self._array()
        except Exception as error:  # each store raises its own
            raise JobError(
                f"the metadata of {self.target.name}/{STATUS} is damaged ({error}), and with it "
                "what the job is: remove the store and fill again"
            ) from error
        try:
            self.status: NDArray[np.uint8] = np.asarray(array[...])
        except Exception as error:  # each codec and store raises its own
            raise JobError(
                f"the status of the blocks is damaged ({error}): remove {self.target.name}/{STATUS}"
                "/c, then run the same fill again; all blocks are done anew, with the bytes they "
                "have"
            ) from error
        self._saved = self.status.copy()
        self.attrs: dict[str, Any] = dict(array.attrs)
        self.failures = self._read("failures")
        self.notes = self._read("notes")

    def _read(self, what: str) -> dict[str, str]:
        """What is told of blocks; nothing where it does not read: the status is what counts."""
        data = self.target.read(f"{STATUS}/{what}.json")
        try:
            found = json.loads(data) if data is not None else {}
        except ValueError:  # cut short by a machine that lost its power
            return {}
        return found if isinstance(found, dict) else {}

    def _array(self, *, write: bool = False) -> Any:
        """The status, opened anew: after a commit the store is another one."""
        store = self.target.zarr(write=write)
        found = zarr.open_array(store, path=STATUS, mode="r+" if write else "r")
        return found.with_config({"write_empty_chunks": True})

    def set(self, index: tuple[int, int, int], code: int, cause: str = "", note: str = "") -> None:
        """Note a block's status; written by the next `flush`."""
        self.status[index] = code
        for told, text in ((self.failures, cause), (self.notes, note)):
            told.pop(block_name(index), None)
            if text:
                told[block_name(index)] = text

    def reset(self, blocks: NDArray[np.bool_]) -> None:
        """Make blocks pending again, at once, and the store incomplete before."""
        if not blocks.any():
            return
        self.mark(complete=False)
        for index in np.argwhere(blocks):
            self.set((int(index[0]), int(index[1]), int(index[2])), PENDING)
        self.flush()

    def flush(self, *, last: bool = False) -> None:
        """Write causes and notes, then the status, as few chunks; each appears whole.

        The last time, what was set aside is used: on a full disk this is what is written still.
        """
        self.held()
        if last:
            self.target.use_aside()
        for what, told in (("failures", self.failures), ("notes", self.notes)):
            name = f"{STATUS}/{what}.json"
            if told or self.target.read(name) is not None:
                self.target.write(name, json.dumps(told).encode())
        changed = int((self.status != self._saved).sum())
        if changed:
            array = self._array(write=True)
            rows = array.chunks[0]
            for first in range(0, len(self.status), rows):
                some = slice(first, first + rows)
                if not np.array_equal(self.status[some], self._saved[some]):
                    array[some] = self.status[some]
                    self._saved[some] = self.status[some]
        self.target.save(f"{changed} blocks")

    def counts(self) -> dict[str, int]:
        """Number of blocks by status; grown ones are pending."""
        found = np.bincount(self.status.ravel(), minlength=len(WORDS))
        found[PENDING] += found[GROWN]
        return dict(zip(WORDS[:GROWN], found.tolist(), strict=False))

    @property
    def finished(self) -> bool:
        """Whether no block is pending or failed."""
        return bool(np.isin(self.status, (DONE, COPIED, EMPTY)).all())

    @property
    def begun(self) -> str:
        """What was begun with the arrays and did not end, and what ends it; empty where nothing."""
        if self.attrs.get("growing"):
            return "it is being extended: run append again"
        if names := self.attrs.get("healing"):
            return f"{', '.join(names)} is being laid out again: run the same fill again"
        return ""

    def mark(self, *, complete: bool) -> None:
        """Say in the attrs whether the store is complete, and gather its metadata."""
        if self.attrs.get("complete") != complete:
            self.say({"complete": complete})

    def begin_growth(self, job: Job) -> None:
        """Write down that the store is about to be laid out for a longer cube."""
        self.say({"complete": False, "growing": job.id})

    def end_growth(self, job: Job) -> None:
        """Make room for the status of new blocks; from here on the store is the longer cube's.

        A block of old and new dates becomes "grown" where it was done, so that its old dates are
        kept. One that never got the dates of an earlier `append` is done anew as a whole where
        it would get newer ones too, else it stays "grown".
        """
        before, side = int(self.attrs["job"]["shape"][0]), job.block[0]
        grown = np.zeros(job.counts, np.uint8)
        grown[: len(self.status)] = self.status[: len(grown)]
        if before % side and before < job.shape[0]:
            edge = grown[before // side]
            half, done = edge == GROWN, np.isin(edge, (DONE, COPIED, EMPTY))
            edge[half], edge[done] = PENDING, GROWN
        array = self._array(write=True)
        array.resize(job.counts)
        self.status, self._saved = grown, np.asarray(array[...])
        self.flush()
        call = {**self.attrs["call"], "src": job.src}
        self.say({**signed(job, self.attrs["history"]), "call": call, "growing": ""})

    def say(self, attrs: Mapping[str, Any], *, gather: bool = True) -> None:
        """Write attrs at once, and gather the metadata, unless that of an array does not read."""
        self.held()
        self._array(write=True).attrs.update(plain(attrs))
        self.attrs.update(plain(attrs))
        if gather:
            self.target.gather()
        self.target.save("attributes of the job")

    def sweep(self) -> None:
        """Remove temporary files of writers that were killed; set room for the status aside."""
        self.target.sweep(ASIDE + 2 * self.status.nbytes)


def block_name(index: tuple[int, ...]) -> str:
    """A block's name: its place in `fill_status` along time, y and x, such as ``0/3/5``."""
    return "/".join(str(place) for place in index)


def signed(job: Job, history: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Attrs that say what the job is, and with which version each number of dates was filled.

    `store` is another one each time, so that workers of an earlier job leave it alone.
    """
    entry = {"dates": job.dates[-1], "version": job.told["version"]}
    said = {"job": dict(job.told), "job_id": job.id, "store": uuid4().hex}
    return {**said, "history": [*history, entry]}


def check_store(job: Job, place: Target) -> None:
    """Raise JobError where another job's store is there now, or none; costs one small read."""
    if job.fork or not job.store:  # what is written apart is of no use to another driver
        return
    data = place.read(f"{STATUS}/zarr.json")
    if data is None or json.loads(data)["attributes"].get("store") != job.store:
        raise JobError(f"{place.name} is another job's now, or gone: nothing was written")


def plain(attrs: Mapping[str, Any]) -> dict[str, Any]:
    """As JSON would give it back."""
    made: dict[str, Any] = json.loads(json.dumps(attrs, default=str))
    return made


def differences(job: Job, told: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """What a store's job told otherwise than this one: key -> (there, here)."""
    here = plain(job.told)
    keys = sorted(told.keys() | here.keys())
    return {k: (told.get(k), here.get(k)) for k in keys if told.get(k) != here.get(k)}
