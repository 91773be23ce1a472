"""Fill the dates that a cube has gained; those that were filled before stay as they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from xinpaint.errors import JobError
from xinpaint.io import source
from xinpaint.io.drive import told_if_full
from xinpaint.io.job import HASHED, Place, check_reach, run, told
from xinpaint.io.jobspec import Job, plan
from xinpaint.io.ledger import Ledger, differences
from xinpaint.io.report import Report
from xinpaint.io.result import SEASONALITY
from xinpaint.io.source import located
from xinpaint.io.store import check_place, grow
from xinpaint.io.target import access_to, target
from xinpaint.io.whole import arrays, check_chunks, heal
from xinpaint.methods.base import Filler

#: What may differ between a store's job and that of the longer cube.
_GROWS = frozenset({"shape", "dates", "grid", "source", "version"})


def append(
    src: Place,
    dst: Place,
    method: Filler | None = None,
    *,
    client: Any = None,
    workers: int | None = None,
    retry_failed: bool = False,
    progress: bool = True,
    storage_options: Mapping[str, Any] | None = None,
) -> Report:
    """Fill the dates that are new in a cube into the store that holds its older ones.

    Method, options and blocks are those the store was begun with. The new dates look back at the
    older ones of the source where the method looks along time; the older ones keep the bytes they
    have, and never look at what came after them. The same call again goes on where it stopped.

    Parameters
    ----------
    src : str or path
        The Zarr cube with more dates, all of them after the older ones; may lie elsewhere now.
    dst : str or path
        What `xinpaint.fill` wrote. Its unfinished blocks are filled as well.
    method : Filler, optional
        Where the store was made by a filler of your own, the same one again.
    client, workers, retry_failed, progress, storage_options
        As in `xinpaint.fill`.

    Returns
    -------
    Report

    Raises
    ------
    JobError
        Where the store is not ours or is being filled, where its dates are not the first ones of
        the source, or the weights are no longer those it was filled with. Nothing is changed then.
    DataError, MethodError, SchemaError, WeightsError, DeviceError
        Where the source, or a method along time, does not fit.

    Examples
    --------
    >>> report = xinpaint.append("cube.zarr", "filled.zarr")  # doctest: +SKIP
    """
    access = access_to(storage_options)
    given, place = located(src), target(dst, access)
    Ledger(place)
    check_place(given, place)
    check_reach((given, place.name), client, workers, method)
    with told_if_full(place), place.locked() as held:
        ledger = Ledger(place, held)
        call, before = ledger.attrs["call"], ledger.attrs["job"]
        if call["method"] == SEASONALITY:
            raise JobError(
                f"{dst} holds windows of months, to which new dates may belong: give a new store"
            )
        if call["method"] is None and method is None:
            raise JobError(f"{dst} was made by a filler of your own: give it again as method=")
        asked, options = (method, {}) if method is not None else (call["method"], call["options"])
        where = (given, place.name, asked, options)
        job, head, result = plan(*where, before=before, access=access)
        _check_longer(job, before)
        check_chunks(job, arrays(ledger, deep=False))
        if job.dates[-1] != before["dates"][-1] or ledger.attrs.get("growing"):
            grow(job, head, result, ledger)
        heal(job, head, result, ledger)
        return run(job, ledger, (client, workers), retry_failed=retry_failed, progress=progress)


def _check_longer(job: Job, before: Mapping[str, Any]) -> None:
    """Raise JobError unless the job's cube is the store's with dates behind it."""
    old, new = before["dates"][-1], job.dates[-1]
    found = differences(job, before)
    other = {key: pair for key, pair in found.items() if key not in _GROWS}
    if before["shape"][1:] != list(job.shape[1:]) or new < old:
        other["shape"] = found["shape"]
    if "halo" in other and before["dates"] == [1]:
        raise JobError(
            f"{job.dst} was begun with one date, when {job.told['method']} had no other to look "
            "at, and now it has: fill all dates into a new store; with context='space' each goes "
            "by itself there, and appended ones too"
        )
    if other:
        raise JobError(f"{job.dst} cannot be continued from {job.src}: different are {told(other)}")
    time = before["dims"][0]
    raw = source.open_source(job.src, job.access)
    was = source.identity(raw.isel({time: slice(0, old)}, missing_dims="ignore"), before)
    if wrong := [key for key in ("grid", "source") if was[key] != before[key]]:
        raise JobError(
            f"the first {old} dates of {job.src} are not those that {job.dst} was filled from: "
            f"other {' and '.join(HASHED[key] for key in wrong)}; new dates must follow the old "
            "ones, else fill into a new store"
        )
