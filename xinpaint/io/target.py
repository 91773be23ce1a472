"""Where a fill job writes: a folder, an object store by its URL, or an icechunk repository."""

from __future__ import annotations

import os
import shutil
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from glob import escape
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

from xinpaint.errors import JobError
from xinpaint.io.guard import clean
from xinpaint.io.lock import alive, locked

#: The array that says which blocks are done; a store that has it is the output of a fill job.
STATUS = "fill_status"
#: Object stores whose single writes appear whole or not at all.
ATOMIC = ("abfs", "abfss", "adl", "az", "gcs", "gs", "memory", "oci", "oss", "s3", "s3a")
#: This process and no other that had, or has, its number.
_PROCESS = uuid4().hex[:8]
#: Raises JobError where the lock is no longer ours.
Held = Callable[[], None]


class Target(Protocol):
    """A place that holds one store: what differs between files, objects and commits."""

    @property
    def name(self) -> str:
        """The path or URL, as messages say it."""
        ...

    @property
    def whole(self) -> bool:
        """Whether a store appears there at once, so that it can be laid out before it is locked."""
        ...

    def ours(self) -> bool:
        """Whether it holds the output of a fill job."""
        ...

    def taken(self) -> bool:
        """Whether it holds anything that no fill job began."""
        ...

    def zarr(self, *, write: bool = False) -> Any:
        """What Zarr and xarray open."""
        ...

    def read(self, key: str) -> bytes | None:
        """A small file beside the arrays; None where there is none."""
        ...

    def write(self, key: str, data: bytes) -> None:
        """Write it, whole or not at all."""
        ...

    def room(self) -> Path:
        """A folder to lay a store out in before it is put here."""
        ...

    def put(self, made: Path) -> None:
        """Put a store that was laid out in a folder here, where nothing is."""
        ...

    def replace(self, made: Path, name: str) -> None:
        """Put an array of such a folder, or the store's own metadata, over the one here."""
        ...

    def locked(self) -> AbstractContextManager[Held]:
        """Keep other drivers away."""
        ...

    def free(self) -> int | None:
        """Bytes that can be written still; None where nobody knows."""
        ...

    def gather(self) -> None:
        """Consolidate the metadata, where that makes opening faster."""
        ...

    def sweep(self, aside: int) -> None:
        """Remove what killed writers left; set bytes aside for the last words on a full disk."""
        ...

    def use_aside(self) -> None:
        """Free the bytes that were set aside."""
        ...

    def fork(self) -> bytes:
        """What a worker needs to write apart; empty where it opens the store by itself."""
        ...

    def merge(self, fork: Any) -> None:
        """Take up what a worker wrote apart."""
        ...

    def save(self, message: str) -> None:
        """Make everything that was written since the last time visible to others."""
        ...


def target(dst: Any, options: Mapping[str, Any] | None = None) -> Target:
    """The place that a path, URL or repository means.

    Parameters
    ----------
    dst : str, path, icechunk.Repository or Target
    options : mapping, optional
        What fsspec needs to open a URL, such as keys or an endpoint.

    Raises
    ------
    JobError
        Where nothing can be written there in a way that survives being killed.
    """
    access = access_to(options)
    if hasattr(dst, "taken"):
        given: Target = dst
        return given
    if hasattr(dst, "writable_session"):
        from xinpaint.io.commits import Commits

        if "InMemory" in repr(dst.storage):
            raise JobError(
                f"{dst!r} is in memory, where a fork cannot reach it: give a repository in a "
                "folder or an object store"
            )
        return Commits(dst, "icechunk repository")
    if not isinstance(dst, str | os.PathLike):
        raise JobError(
            f"found {type(dst).__name__} as the output; wanted a folder, the URL of an object "
            "store, icechunk://PATH or an icechunk.Repository"
        )
    scheme, there, rest = os.fspath(dst).partition("://")
    if not there or scheme in ("file", "local"):
        return Folder(Path(rest if there else scheme).resolve())
    if scheme == "icechunk":
        from xinpaint.io.commits import opened

        return opened(rest)
    if scheme not in ATOMIC:
        raise JobError(
            f"{clean(os.fspath(dst))}: over {scheme}:// a killed writer leaves half a file. Give a "
            f"folder, icechunk://PATH, or an object store ({', '.join(ATOMIC)})"
        )
    from xinpaint.io.objects import Objects, plain_url

    return Objects(plain_url(os.fspath(dst)), access)


def access_to(options: Any) -> dict[str, Any]:
    """What fsspec needs to open a URL, as it was given in ``storage_options=``.

    Raises
    ------
    JobError
        Where it is no mapping; what it is instead may be secret and is not said.
    """
    if options is None or isinstance(options, Mapping):
        return dict(options or {})
    raise JobError(
        f"storage_options= is a {type(options).__name__}; wanted a dict of names and values, such "
        'as {"key": "...", "secret": "..."}'
    )


@dataclass(frozen=True)
class Folder:
    """A folder of a file system: each file is written under another name, then renamed."""

    path: Path
    whole = True

    @property
    def name(self) -> str:
        """The path."""
        return str(self.path)

    def ours(self) -> bool:
        """See `Target`."""
        return os.path.isfile(self.path / STATUS / "zarr.json")  # no error of a name too long

    def taken(self) -> bool:
        """See `Target`."""
        return os.path.exists(self.path) and not self.ours()

    def zarr(self, *, write: bool = False) -> Any:
        """See `Target`."""
        return str(self.path)

    def read(self, key: str) -> bytes | None:
        """See `Target`."""
        file = self.path / key
        return file.read_bytes() if file.is_file() else None

    def write(self, key: str, data: bytes) -> None:
        """See `Target`."""
        part = (self.path / key).with_suffix(".partial")
        with part.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())  # else a name may outlive its bytes where power is lost
        part.replace(self.path / key)

    def room(self) -> Path:
        """Beside the store, so that it can be renamed; what dead drivers left there is removed."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        for left in self.path.parent.glob(f".{escape(self.path.name)}.*.partial"):
            pid, _, process = left.name.split(".")[-2].partition("-")
            # a number may come again, as in containers, where it often is 1
            own = pid == str(os.getpid()) and process != _PROCESS
            if own or (pid.isdigit() and not alive(int(pid))):
                shutil.rmtree(left, ignore_errors=True)
        return self.path.with_name(f".{self.path.name}.{os.getpid()}-{_PROCESS}.partial")

    def put(self, made: Path) -> None:
        """See `Target`."""
        try:
            made.rename(self.path)
        except OSError:
            if not self.path.exists():  # else another driver was first: lock and job decide
                raise

    def replace(self, made: Path, name: str) -> None:
        """See `Target`."""
        for file in files(made / name):
            place = self.path / name / file.relative_to(made / name)
            place.parent.mkdir(parents=True, exist_ok=True)
            file.replace(place)

    @contextmanager
    def locked(self) -> Iterator[Held]:
        """See `Target`."""
        with locked(self.path / STATUS / "lock") as held:
            yield held

    def free(self) -> int | None:
        """See `Target`."""
        place = next(p for p in (self.path, *self.path.parents) if p.exists())
        return shutil.disk_usage(place).free

    def gather(self) -> None:
        """See `Target`."""
        gather(self.zarr(write=True))

    def sweep(self, aside: int) -> None:
        """See `Target`."""
        for left in self.path.rglob("*.partial"):
            left.unlink(missing_ok=True)
        (self.path / STATUS / "aside.partial").write_bytes(bytes(aside))

    def use_aside(self) -> None:
        """See `Target`."""
        (self.path / STATUS / "aside.partial").unlink(missing_ok=True)

    def fork(self) -> bytes:
        """See `Target`."""
        return b""

    def merge(self, fork: Any) -> None:
        """See `Target`."""

    def save(self, message: str) -> None:
        """See `Target`."""


def gather(store: Any) -> None:
    """Consolidate the metadata of a Zarr 3 store, without a word on its being no standard yet."""
    import zarr

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Consolidated metadata")
        zarr.consolidate_metadata(store)


def files(folder: Path) -> list[Path]:
    """All files in a folder and below, or the one that it is."""
    found = [folder] if folder.is_file() else folder.rglob("*")
    return sorted(file for file in found if file.is_file())
