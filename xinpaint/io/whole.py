"""Whether all arrays of a store are there and its small variables read; laying them out anew."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xarray as xr
import zarr

from xinpaint.errors import JobError
from xinpaint.io.chunks import Chunks, all_there, chunks_in, damage, dims_of, erase_all
from xinpaint.io.jobspec import Job
from xinpaint.io.ledger import COPIED, DONE, EMPTY, Ledger
from xinpaint.io.result import Result
from xinpaint.io.store import mend
from xinpaint.io.target import STATUS
from xinpaint.io.work import cpus

#: How many requests an object store is asked at once.
REQUESTS = 16
#: Along time, y and x: which blocks, as places in `fill_status`.
Index = tuple[int, ...]
_ROOT = "zarr.json"


@dataclass
class Arrays:
    """The arrays of a store.

    Parameters
    ----------
    large : dict of str to zarr.Array
        Those written block by block that open.
    missing, corrupted : list of str
        Names of arrays that are not there or do not open, of small variables, such as
        coordinates, that lack a chunk or do not read, and of the store's own metadata.
    """

    large: dict[str, Any] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    corrupted: list[str] = field(default_factory=list)

    @property
    def bad(self) -> list[str]:
        """What has to be laid out anew."""
        return [*self.missing, *self.corrupted]


def arrays(ledger: Ledger, *, deep: bool) -> Arrays:
    """Look at each array that the job laid out; with `deep` read the small ones.

    A store of an earlier version does not say which these were: those that are there count.
    """
    store, found = ledger.target.zarr(), Arrays()
    root, said = _opened(store, _ROOT, found), ledger.attrs.get("arrays")
    if said is None:
        said = [] if root is None else list(root.array_keys())
    _, y, x = ledger.attrs["job"]["dims"]
    for name in (n for n in said if n != STATUS):
        array = _opened(store, name, found)
        if array is not None and {y, x} <= set(dims_of(array)):
            found.large[name] = array
        elif array is not None:
            _look_into(array, found, known="arrays" in ledger.attrs, deep=deep)
    return found


def _opened(store: Any, name: str, found: Arrays) -> Any:
    """The array, or for `_ROOT` the group, of that name; None, and noted, where it does not."""
    try:
        if name == _ROOT:
            return zarr.open_group(store, mode="r", use_consolidated=False)
        return zarr.open_array(store, path=name, mode="r")
    except FileNotFoundError:
        found.missing.append(name)
    except Exception:  # each store raises its own
        found.corrupted.append(name)
    return None


def _look_into(array: Any, found: Arrays, *, known: bool, deep: bool) -> None:
    """A small variable: are its chunks there, where all were written, and does it read."""
    if known and not all_there(array, [slice(0, size) for size in array.shape]):
        found.missing.append(array.path)
        return
    try:
        if deep:
            array[...]
    except Exception:  # each codec and store raises its own
        found.corrupted.append(array.path)


def damaged(ledger: Ledger, large: dict[str, Any], *, deep: bool) -> dict[str, list[Index]]:
    """Blocks marked done that are "missing" or "corrupted"."""
    done = np.argwhere(np.isin(ledger.status, (DONE, COPIED, EMPTY)))
    places = [tuple(int(n) for n in index) for index in done]
    told = ledger.attrs["job"]
    with ThreadPoolExecutor(cpus() if ledger.target.whole else REQUESTS) as pool:
        words = list(pool.map(lambda index: damage(large, told, index, deep=deep), places))
    pairs = list(zip(places, words, strict=True))
    return {k: [index for index, word in pairs if word == k] for k in ("missing", "corrupted")}


def heal(job: Job, head: xr.Dataset, result: Result, ledger: Ledger) -> list[Index]:
    """Lay out anew what is missing or does not open; blocks that so lost chunks become pending.

    An array that was laid out passes for whole. So the intention is written first and taken back
    last; killed in between, the next one looks at the same arrays again.
    """
    found = arrays(ledger, deep=True)
    check_chunks(job, found)
    bad = list(dict.fromkeys([*found.bad, *ledger.attrs.get("healing", ())]))
    if not bad:
        if kept := _kept(ledger, found.large):
            ledger.say(kept)
        return []
    known = _known(ledger, found.large, bad)
    # the metadata is not gathered, it may not read; that of the store is laid out first, which
    # says that it is not complete
    ledger.say({"complete": False, "healing": bad}, gather=False)
    mend(job, head, result, list(dict.fromkeys([_ROOT, *bad])), ledger, known)
    large = arrays(ledger, deep=False).large
    for name in (name for name in bad if name in large and name not in known):
        erase_all(ledger.target.zarr(write=True), name)  # how these are cut nobody knows
    words = damaged(ledger, {k: v for k, v in large.items() if k in bad}, deep=True)
    lost = [*words["missing"], *words["corrupted"]]
    ledger.reset(chosen(ledger, lost))
    ledger.say({"healing": [], **_kept(ledger, large)})
    return lost


def check_chunks(job: Job, found: Arrays) -> None:
    """Raise JobError where two blocks would write into one file, and one of them be lost."""
    axes = zip(job.told["dims"], job.block, job.shape, strict=True)
    cut = {dim: side for dim, side, size in axes if side < size}
    for name, array in found.large.items():
        files = array.shards or array.chunks
        if any(cut.get(dim, n) % n for dim, n in zip(dims_of(array), files, strict=True)):
            raise JobError(
                f"{job.dst}/{name} is in files of {files} pixels, of which a block of {job.block} "
                "is no whole number: the store was copied in other chunks. Use the one that was "
                "copied (cp -r keeps its chunks), or fill into a new store"
            )


def _known(ledger: Ledger, large: Mapping[str, Any], bad: Sequence[str]) -> dict[str, Chunks]:
    """Chunks of arrays, also of bad ones as far as the store says them and is right of others."""
    said, there = ledger.attrs.get("arrays"), {n: a for n, a in large.items() if n not in bad}
    known = {n: c for n, c in said.items() if c} if isinstance(said, dict) else {}
    alike = all(known.get(name) == chunks_in(array) for name, array in there.items())
    return known if alike else {}  # else it is of an earlier version, or was copied


def _kept(ledger: Ledger, large: Mapping[str, Any]) -> dict[str, Any]:
    """Attrs that say the chunks of arrays that are whole; empty where they say so already."""
    said = ledger.attrs.get("arrays")
    now: dict[str, Any] = {name: {} for name in said or ()}
    now |= {name: chunks_in(array) for name, array in large.items()}
    return {} if said in (None, now) else {"arrays": now}


def chosen(ledger: Ledger, blocks: Sequence[Index]) -> Any:
    """Blocks as a mask over `fill_status`."""
    mask = np.zeros(ledger.status.shape, bool)
    if blocks:
        mask[tuple(np.transpose(blocks))] = True
    return mask
