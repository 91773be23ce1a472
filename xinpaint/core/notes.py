"""What a method wants the record to say of its work, such as "on the CPU, memory ran out"."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_HEARD: ContextVar[list[str] | None] = ContextVar("xinpaint_notes", default=None)


def note(text: str) -> None:
    """Tell whoever listens in this thread; the same text is kept once. Nobody has to listen."""
    heard = _HEARD.get()
    if heard is not None and text not in heard:
        heard.append(text)


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
