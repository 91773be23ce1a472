"""One place where GDAL finds all files over HTTP that a process has open.

GDAL (3.10) looks handlers up in a table without a lock, and `rasterio.open(..., opener=...)` puts a
handler into it and takes it out again for every file: a process whose threads read at once may die
of it. Here one handler goes in, once, and stays; files come and go behind it.
"""

from __future__ import annotations

import atexit
import io
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import Context
from functools import lru_cache
from typing import Any, Protocol

from rasterio.abc import MultiByteRangeResourceContainer


class Served(Protocol):
    """What can be served: its size in bytes, and a new reader for each opening."""

    size: int

    def open(self) -> Any:
        """Give a file to read from."""


class Folder(MultiByteRangeResourceContainer):  # type: ignore[misc]
    """The files that are open: nothing lies beside them, no mask and no metadata."""

    def __init__(self) -> None:
        self.files: dict[str, Served] = {}

    def _file(self, path: str) -> Served:
        if path not in self.files:
            raise FileNotFoundError(path)
        return self.files[path]

    def open(self, path: str, mode: str = "r", **_: Any) -> Any:
        """Open a file; its neighbours are not found."""
        return self._file(path).open()

    def isfile(self, path: str) -> bool:
        """Whether a path is one of the files."""
        return path in self.files

    def isdir(self, path: str) -> bool:
        """Never."""
        return False

    def ls(self, path: str) -> list[str]:
        """Nothing."""
        return []

    def mtime(self, path: str) -> int:
        """Not known."""
        return 0

    def rm(self, path: str) -> None:
        """Refuse."""
        raise PermissionError(path)

    def size(self, path: str) -> int:
        """Bytes of a file."""
        return self._file(path).size


_FOLDER = Folder()
_LOCK = threading.Lock()


class _Pixel:
    """A GeoTIFF of one pixel, which keeps the handler in its place for as long as it is open."""

    def __init__(self) -> None:
        from affine import Affine
        from rasterio.io import MemoryFile

        with MemoryFile() as memory:
            shape: dict[str, Any] = {"width": 1, "height": 1, "count": 1, "dtype": "uint8"}
            memory.open(driver="GTiff", transform=Affine.scale(2, -2), **shape).close()
            self._bytes = bytes(memory.read())
        self.size = len(self._bytes)

    def open(self) -> io.BytesIO:
        return io.BytesIO(self._bytes)


@lru_cache(maxsize=1)
def _handler() -> tuple[str, Context]:
    """Put the handler in: the prefix of its names, and the context variables rasterio set."""
    import rasterio

    name = "pixel.tif"
    _FOLDER.files[name] = _Pixel()
    context = Context()
    image = context.run(rasterio.open, name, driver="GTiff", opener=_FOLDER)
    atexit.register(context.run, image.close)
    return image.name.removesuffix(name), context


@contextmanager
def served(file: Served) -> Iterator[str]:
    """Let GDAL find a file; yields the name to open, in this thread, inside the `with` only."""
    with _LOCK:
        prefix, context = _handler()
    name = f"{uuid.uuid4().hex}.tif"
    _FOLDER.files[name] = file
    before = [(variable, variable.set(value)) for variable, value in context.items()]
    try:
        yield f"{prefix}{name}"
    finally:
        for variable, token in before:
            variable.reset(token)
        del _FOLDER.files[name]
