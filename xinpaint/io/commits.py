"""A store in an icechunk repository: the driver alone commits, workers write into forks."""

from __future__ import annotations

import json
import pickle
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import zarr
from zarr.core.buffer import default_buffer_prototype
from zarr.core.sync import sync

from xinpaint.errors import JobError
from xinpaint.io.lock import locked
from xinpaint.io.target import STATUS, Held, files

#: The branch that is written.
BRANCH = "main"


class Commits:
    """The branch `main` of a repository; what a commit holds is there, with its status, or not.

    Parameters
    ----------
    repository : icechunk.Repository, optional
        Made when a store is laid out, where it is not there yet.
    name : str
        For messages.
    storage : icechunk.Storage, optional
        Where the repository is to be made.
    folder : path, optional
        Where it is one of this file system: a lock file then keeps other drivers away. Elsewhere
        icechunk refuses the commit of a second one.
    """

    whole = False

    def __init__(
        self, repository: Any, name: str, *, storage: Any = None, folder: Path | None = None
    ) -> None:
        self.name = name
        self._repository, self._storage, self._folder = repository, storage, folder
        self._session: Any = None

    def ours(self) -> bool:
        """See `Target`."""
        return self._repository is not None and self._has(f"{STATUS}/zarr.json")

    def taken(self) -> bool:
        """See `Target`."""
        if self._repository is None:
            folder = self._folder
            return folder is not None and folder.exists() and any(folder.iterdir())
        return not self.ours() and self._has("zarr.json")

    def _has(self, key: str) -> bool:
        return bool(sync(self.zarr().exists(key)))

    def zarr(self, *, write: bool = False) -> Any:
        """See `Target`."""
        if self._session is None and not write:
            return self._repository.readonly_session(BRANCH).store
        return self._writable().store

    def _writable(self) -> Any:
        if self._session is None:
            self._session = self._repository.writable_session(BRANCH)
        return self._session

    def read(self, key: str) -> bytes | None:
        """An attribute of the status, which goes by the file's name."""
        array = zarr.open_array(self.zarr(), path=STATUS, mode="r")
        told = dict(array.attrs).get(Path(key).stem)
        return None if told is None else json.dumps(told).encode()

    def write(self, key: str, data: bytes) -> None:
        """See `read`."""
        array = zarr.open_array(self.zarr(write=True), path=STATUS, mode="r+")
        array.attrs.update({Path(key).stem: json.loads(data)})

    def room(self) -> Path:
        """A new folder of this machine."""
        return Path(tempfile.mkdtemp(prefix="xinpaint-")) / "laid-out"

    def put(self, made: Path) -> None:
        """Put a store that was laid out in a folder here, in one commit."""
        self._make()
        self._copy(made, made)
        self.save("laid out")

    def _make(self) -> None:
        if self._repository is None:
            from icechunk import Repository

            self._repository = Repository.create(self._storage)

    def replace(self, made: Path, name: str) -> None:
        """See `Target`."""
        self._copy(made / name, made)

    def _copy(self, folder: Path, root: Path) -> None:
        store, make = self.zarr(write=True), default_buffer_prototype().buffer.from_bytes
        # metadata first: icechunk takes no chunk of an array that it does not know
        for file in sorted(files(folder), key=lambda f: f.name != "zarr.json"):
            data = file.read_bytes()
            if file.name == "zarr.json":  # a commit needs no consolidated metadata
                said = json.loads(data)
                said.pop("consolidated_metadata", None)
                data = json.dumps(said).encode()
            sync(store.set(file.relative_to(root).as_posix(), make(data)))

    @contextmanager
    def locked(self) -> Iterator[Held]:
        """See `Target`."""
        if self._folder is None:
            yield lambda: None
            return
        self._make()  # first: icechunk makes none where anything is
        (self._folder / "xinpaint").mkdir(parents=True, exist_ok=True)
        with locked(self._folder / "xinpaint" / "lock") as held:
            self._session = None  # what another driver committed meanwhile counts
            yield held

    def free(self) -> int | None:
        """See `Target`."""
        return None

    def gather(self) -> None:
        """See `Target`; a commit needs none."""

    def sweep(self, aside: int) -> None:
        """See `Target`."""

    def use_aside(self) -> None:
        """See `Target`."""

    def fork(self) -> bytes:
        """See `Target`; from the last commit."""
        self.save("before blocks")
        return pickle.dumps(self._repository.writable_session(BRANCH).fork())

    def merge(self, fork: Any) -> None:
        """See `Target`."""
        self._writable().merge(fork)

    def save(self, message: str) -> None:
        """See `Target`; nothing is committed where nothing changed."""
        from icechunk import ConflictError

        session, self._session = self._session, None
        if session is None or not session.has_uncommitted_changes:
            return
        try:
            session.commit(message)
        except ConflictError as error:
            raise JobError(
                f"{self.name} is being filled by another driver, which committed since; stop one "
                "of the two and run the same command again"
            ) from error


def opened(where: str) -> Commits:
    """The repository in a folder, or with ``s3://bucket/prefix`` in S3 as the environment says.

    Raises
    ------
    JobError
        Where icechunk is not installed, or the place is none that it is opened by here.
    """
    try:
        import icechunk
    except ImportError as error:
        raise JobError("icechunk:// needs icechunk: pip install 'xinpaint[icechunk]'") from error
    scheme, there, rest = where.partition("://")
    folder = None
    if not there:
        folder = Path(where).resolve()
        icechunk.set_logs_filter("error")  # it warns of two committers, whom the lock keeps apart
        storage = icechunk.local_filesystem_storage(str(folder))
        icechunk.set_logs_filter(None)
    elif scheme == "s3":
        bucket, _, prefix = rest.partition("/")
        storage = icechunk.s3_storage(bucket=bucket, prefix=prefix, from_env=True)
    else:
        raise JobError(
            f"icechunk://{scheme}://…: give icechunk://PATH, icechunk://s3://BUCKET/PREFIX or an "
            "icechunk.Repository"
        )
    found = (folder is None or folder.exists()) and icechunk.Repository.exists(storage)
    repository = icechunk.Repository.open(storage) if found else None
    return Commits(repository, f"icechunk://{folder or where}", storage=storage, folder=folder)


def forked(data: bytes) -> Any:
    """The session of a worker, from what `Commits.fork` gave."""
    return pickle.loads(data)
