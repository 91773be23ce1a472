"""Any of our nets as a filler: grid alignment, which dates, and how many of them at once.

Pondaven et al. 2022 (arXiv 2205.12407): each image is a task of its own, context = observed
pixels, target = the missing ones. Other dates are further context sets.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from xinpaint.core.dates import check_days, nearest
from xinpaint.core.noise import gaussian
from xinpaint.core.notes import note
from xinpaint.core.task import Fill, Task
from xinpaint.core.tiling import Halo
from xinpaint.errors import MethodError
from xinpaint.methods.aligned import aligned, inside
from xinpaint.methods.devices import (
    BUDGET,
    PRECISIONS,
    batches,
    computing,
    is_full,
    lock,
    release,
    resolve,
)
from xinpaint.methods.others import check_max_days, check_whole

if TYPE_CHECKING:
    from torch import nn

#: Draws of a latent net behind its moments.
DRAWS = 16
#: Every shipped net looks this far, in pixels; one that looks at other dates, at these this far.
REACH, REACH_OF_DATES = 64, 144
#: Orientations that can be averaged, as :data:`xinpaint.nets.turns.COUNTS` (this needs no torch).
TURNS = (1, 2, 4)
#: Dates to fill, each with the other dates it is told of.
Asked = Sequence[tuple[int, tuple[int, ...]]]
#: Mean and standard deviation.
Answer = tuple[NDArray[np.float32], NDArray[np.float32]]


class NetSource(Protocol):
    """Whatever can make a ready net: pickles small, knows its hash."""

    @property
    def sha256(self) -> str:
        """Identity of the weights."""
        ...

    @property
    def probabilistic(self) -> bool:
        """Whether the net says how sure it is."""
        ...

    def net(self, device: str) -> nn.Module:
        """The net on a device, in evaluation mode."""
        ...


@dataclass(frozen=True)
class NeuralFiller:
    """Fill each date with a net of bands ``[n b y x]`` (and other dates) → mean, std.

    Parameters
    ----------
    source : NetSource
        Makes the net in whichever process the work is done.
    device : str
        ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"cuda:N"``.
    context : {"space", "time", "auto"}
        What else than its own date a pixel is answered from: nothing, other dates, or other dates
        where the cube has them. Anything but "space" needs a net that takes other dates.
    max_dates : int
        How many other dates, the nearest in time.
    max_days : float, optional
        None of them farther away than this.
    seed : int
        Of the latents of a net that has them.
    precision : {"exact", "bf16", "fp16"}
        "exact" is float32; the others let the net's convolutions compute in half as many bits,
        faster on most GPUs. What decides the unit of an answer stays exact.
    turns : {1, 2, 4}, optional
        How many orientations of the image a ConvNP looks at and averages, other than its weights
        are made for.

    Raises
    ------
    MethodError
        At construction, if an option makes no sense.
    DeviceError
        At construction, if the device is not at hand.
    """

    source: NetSource
    device: str = "auto"
    context: str = "space"
    max_dates: int = 6
    max_days: float | None = None
    seed: int = 0
    precision: str = "exact"
    turns: int | None = None

    def __post_init__(self) -> None:
        if self.context not in ("space", "time", "auto"):
            raise MethodError(f"context = {self.context!r}: use 'auto', 'space' or 'time'")
        if self.context != "space" and self.max_dates == 0 and self.max_dates is not False:
            raise MethodError("convnp(max_dates=0): to look at no other date, use context='space'")
        check_whole("convnp", "max_dates", self.max_dates, least=int(self.context != "space"))
        check_max_days("convnp", self.max_days)
        check_whole("convnp", "seed", self.seed, least=0)
        if self.precision not in PRECISIONS:
            raise MethodError(f"precision = {self.precision!r}: use one of {list(PRECISIONS)}")
        odd = isinstance(self.turns, (bool, float)) or self.turns not in TURNS
        if self.turns is not None and odd:
            raise MethodError(f"turns = {self.turns!r}: use one of {list(TURNS)}, or leave it out")
        if self.device not in ("auto", "cpu"):  # these are always at hand: torch can wait
            resolve(self.device)

    @property
    def has_std(self) -> bool:
        """Whether the net says how sure it is."""
        return self.source.probabilistic

    @property
    def halo(self) -> Halo:
        """The net's reach in space; as many dates as may be asked."""
        if self.context == "space":
            return Halo(0, REACH, REACH)
        return Halo(self.max_dates, REACH_OF_DATES, REACH_OF_DATES)

    @property
    def attrs(self) -> dict[str, str]:
        """What the result should tell of its making."""
        told = {"xinpaint_weights_sha256": self.source.sha256, "xinpaint_context": self.context}
        told["xinpaint_weights"] = Path(getattr(self.source, "path", "")).stem
        told |= {} if self.turns is None else {"xinpaint_turns": str(self.turns)}
        return told if self.precision == "exact" else told | {"xinpaint_precision": self.precision}

    def in_space(self) -> NeuralFiller:
        """The same, without other dates."""
        return replace(self, context="space")

    def __dask_tokenize__(self) -> tuple[Any, ...]:
        asked = (self.context, self.max_dates, self.max_days, self.seed)
        how = (self.device, self.precision, *(() if self.turns is None else (self.turns,)))
        return (type(self).__name__, self.source.sha256, *how, *asked)

    def fill(self, task: Task) -> Fill:
        """Mean and standard deviation at the target, in the unit of the values.

        Raises
        ------
        SchemaError
            If other dates are asked and a day is missing or there twice.
        """
        mean = np.full(task.shape, np.nan, np.float32)
        std = np.full(task.shape, np.nan, np.float32)
        if self.halo.t:
            check_days(task.days, "convnp")
        if task.target.any() and task.context.any():
            device = resolve(self.device)
            wanted = task.target.any((1, 2, 3)) & task.context.any((1, 2, 3))
            dates = [(int(date), self._others(task, int(date))) for date in np.flatnonzero(wanted)]
            size = task.values[0].size
            if hasattr(self.source.net(device), "samples"):  # its draws go together, not its dates
                size = max(size, BUDGET)
            for some in batches(dates, size, device):
                picked = [date for date, _ in some]
                mean[picked], std[picked] = self._ask(task, some, device)
        mean[~task.target] = np.nan
        std[~task.target] = np.nan
        return Fill(mean, std if self.has_std else None)

    def _others(self, task: Task, date: int) -> tuple[int, ...]:
        """Other dates to look at, in ascending order."""
        others = nearest(task.days, date, self.halo.t or 0, self.max_days)
        return tuple(k for k in sorted(others) if task.context[k].any())

    def _ask(self, task: Task, some: Asked, device: str) -> Answer:
        """Ask the net for some dates; where memory runs out, for half of them, then the CPU."""
        net = self.source.net(device)
        try:
            return self._answer(net, task, some, device)
        except Exception as error:
            if device == "cpu" or not is_full(error):
                raise
        release(device)  # only here: the error held on to what was allocated
        if len(some) > 1:
            note(f"the memory of {device} ran out: fewer dates at once")
            half = len(some) // 2
            parts = (self._ask(task, part, device) for part in (some[:half], some[half:]))
            means, stds = zip(*parts, strict=True)
            return np.concatenate(means), np.concatenate(stds)
        note(f"the memory of {device} ran out: filled on the CPU")
        return self._answer(self.source.net("cpu"), task, some, "cpu")

    def _answer(self, net: Any, task: Task, some: Asked, device: str) -> Answer:
        """Dates with as many other dates each, ``[n b y x]``, widened to the net's stride."""
        import torch

        given = [*aligned(task, [date for date, _ in some], net.stride)]
        if others := [k for _, told in some for k in told]:
            away = [task.days[list(told)] - task.days[date] for date, told in some]
            parts = aligned(task, others, net.stride)
            given += [part.reshape(len(some), -1, *part.shape[1:]) for part in parts]
            given += [np.stack(away).astype(np.float32)]
        if hasattr(net, "samples"):
            y, x = given[0].shape[2:]
            noise = [self._noise(net, task, some[0][0], k, (y, x)) for k in range(DRAWS)]
            given.append(np.stack(noise)[:, None])
        # only what the device does is done under its lock, so that threads prepare beside it
        with lock(device), torch.inference_mode(), computing(device, self.precision):
            asked = [torch.from_numpy(part).to(device) for part in given]
            how = {} if self.turns is None else {"turns": self.turns}
            mean, std = (part.float().cpu().numpy() for part in net(*asked, **how))
        rows, columns = inside(task, net.stride)
        return mean[:, :, rows, columns], std[:, :, rows, columns]

    def _noise(
        self, net: Any, task: Task, date: int, draw: int, shape: tuple[int, int]
    ) -> NDArray[np.float32]:
        """The latent numbers of a draw, which belong to places and days, not to tiles."""
        day = int(np.float64(task.days[date]).view(np.int64))
        top, left = (place // net.stride * net.stride // net.cell for place in task.origin)
        cells = (net.latents, shape[0] // net.cell, shape[1] // net.cell)
        return gaussian((self.seed, draw, day), cells, (top, left))
