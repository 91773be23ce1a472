"""What a method is: a halo and a fill. Nothing more."""

from __future__ import annotations

from typing import Protocol

from xinpaint.core.task import Fill, Task
from xinpaint.core.tiling import Halo


class Filler(Protocol):
    """Anything that answers a Task.

    A filler is picklable, deterministic, has a stable ``__dask_tokenize__`` (frozen dataclasses
    of plain values have one by themselves), never changes its task, and looks only at
    ``task.values`` where ``task.context`` is true.
    """

    @property
    def halo(self) -> Halo:
        """How far an answer depends on context around it."""
        ...

    def fill(self, task: Task) -> Fill:
        """Answer every target pixel it can; NaN elsewhere is allowed."""
        ...
