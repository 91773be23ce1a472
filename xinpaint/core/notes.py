"""What is told beside the answer: notes of a method for the record, warnings for the reader."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

_PACKAGE = f"{Path(__file__).parents[1]}{os.sep}"
_HEARD: ContextVar[list[str] | None] = ContextVar("xinpaint_notes", default=None)


def note(text: str) -> None:
    """Tell whoever listens in this thread; the same text is kept once. Nobody has to listen."""
    heard = _HEARD.get()
    if heard is not None and text not in heard:
        heard.append(text)


def tell(text: str) -> None:
    """Warn, and point at the line outside of this package that asked for it all."""
    level, frame = 1, sys._getframe(0)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        level, frame = level + 1, frame.f_back
    warnings.warn(text, UserWarning, stacklevel=level)


@contextmanager
def noted() -> Iterator[list[str]]:
    """Listen to `note` in this thread.

    Examples
    --------
    >>> with noted() as heard:
    ...     note("half of the memory was enough")
    >>> heard
    ['half of the memory was enough']
    """
    heard: list[str] = []
    before = _HEARD.set(heard)
    try:
        yield heard
    finally:
        _HEARD.reset(before)
