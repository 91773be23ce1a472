"""What a method is: a halo and a fill, or a halo and classes. Nothing more."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

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


class Classifier(Protocol):
    """Anything that tells classes from all dates of a Task together; as `Filler` otherwise."""

    @property
    def halo(self) -> Halo:
        """How far an answer depends on what is around it."""
        ...

    def classify(self, task: Task) -> NDArray[np.float32]:
        """Probabilities ``[class y x]`` that add up to 1."""
        ...
