"""Any of our nets as a filler: grid alignment, device, and nothing else.

Pondaven et al. 2022 (arXiv 2205.12407): each image is a task of its own, context = observed
pixels, target = the missing ones. Other dates are further context sets.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from xinpaint.core.dates import check_days, nearest
from xinpaint.core.noise import gaussian
from xinpaint.core.task import Fill, Task
from xinpaint.core.tiling import Halo
from xinpaint.errors import DeviceError, MethodError
from xinpaint.methods.aligned import aligned, inside
from xinpaint.methods.others import check_whole
from xinpaint.methods.planes import check_number

if TYPE_CHECKING:
    from torch import nn

#: Draws of a latent net behind its moments.
DRAWS = 16
#: Every shipped net looks this far, in pixels.
REACH = 64
_LOCKS: dict[str, threading.Lock] = {}
_GUARD = threading.Lock()


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
        ``"auto"``, ``"cpu"``, ``"cuda"``, ``"cuda:N"`` or ``"mps"``.
    context : {"space", "time", "auto"}
        What else than its own date a pixel is answered from: nothing, other dates, or other dates
        where the cube has them. Anything but "space" needs a net that takes other dates.
    max_dates : int
        How many other dates, the nearest in time.
    max_days : float, optional
        None of them farther away than this.
    seed : int
        Of the draws of a latent net.
    draw : int, optional
        Answer with this draw of a latent net, not with the moments over :data:`DRAWS` of them.

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
    draw: int | None = None

    def __post_init__(self) -> None:
        if self.context not in ("space", "time", "auto"):
            raise MethodError(f"context = {self.context!r}: use 'auto', 'space' or 'time'")
        check_whole("convnp", "max_dates", self.max_dates, least=0)
        if self.max_days is not None:
            check_number("convnp", "max_days", self.max_days, least=0)
        check_whole("convnp", "seed", self.seed, least=0)
        _resolve(self.device)

    @property
    def has_std(self) -> bool:
        """A single draw, or a net without a spread, says only what, not how sure."""
        return self.draw is None and self.source.probabilistic

    @property
    def halo(self) -> Halo:
        """The net's reach in space; as many dates as may be asked."""
        return Halo(0 if self.context == "space" else self.max_dates, REACH, REACH)

    @property
    def attrs(self) -> dict[str, str]:
        """What the result should tell of its making."""
        return {"xinpaint_weights_sha256": self.source.sha256, "xinpaint_context": self.context}

    def in_space(self) -> NeuralFiller:
        """The same, without other dates."""
        return replace(self, context="space")

    def __dask_tokenize__(self) -> tuple[Any, ...]:
        asked = (self.context, self.max_dates, self.max_days, self.seed, self.draw)
        return (type(self).__name__, self.source.sha256, self.device, *asked)

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
            device = _resolve(self.device)
            net = self.source.net(device)
            with _lock(device):
                for date in range(task.shape[0]):
                    if task.target[date].any() and task.context[date].any():
                        others = nearest(task.days, date, self.halo.t or 0, self.max_days)
                        told = [k for k in sorted(others) if task.context[k].any()]
                        mean[date], std[date] = self._answer(net, task, date, told)
        mean[~task.target] = np.nan
        std[~task.target] = np.nan
        return Fill(mean, std if self.has_std else None)

    def _answer(
        self, net: Any, task: Task, date: int, others: list[int]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """One date ``[b y x]``, widened to the net's stride on the global grid."""
        import torch

        device = _resolve(self.device)

        def ready(dates: list[int]) -> list[Any]:
            return [torch.from_numpy(part).to(device) for part in aligned(task, dates, net.stride)]

        given = ready([date])
        if others:
            away = torch.from_numpy((task.days[others] - task.days[date]).astype(np.float32))
            given += [*(part[None] for part in ready(others)), away[None].to(device)]
        if hasattr(net, "samples"):
            draws = range(DRAWS) if self.draw is None else [self.draw]
            noise = [self._noise(net, task, date, k, given[0].shape[2:]) for k in draws]
            given.append(torch.from_numpy(np.stack(noise)[:, None]).to(device))
        ask = net if self.draw is None else net.samples
        with torch.inference_mode(), _exact(device):
            mean, std = (part.cpu().numpy() for part in ask(*given))
        if self.draw is not None:
            mean, std = mean[0], std[0]
        rows, columns = inside(task, net.stride)
        return mean[0, :, rows, columns], std[0, :, rows, columns]

    def _noise(
        self, net: Any, task: Task, date: int, draw: int, shape: tuple[int, int]
    ) -> NDArray[np.float32]:
        """The latent numbers of a draw, which belong to places and days, not to tiles."""
        day = int(np.float64(task.days[date]).view(np.int64))
        top, left = (place // net.stride * net.stride // net.cell for place in task.origin)
        cells = (net.latents, shape[0] // net.cell, shape[1] // net.cell)
        return gaussian((self.seed, draw, day), cells, (top, left))


def _exact(device: str) -> Any:
    """Full float32 on CUDA: TF32 would make an answer depend on its tile."""
    import contextlib

    import torch

    if not device.startswith("cuda"):
        return contextlib.nullcontext()
    return torch.backends.cudnn.flags(enabled=True, allow_tf32=False)


def _resolve(device: str) -> str:
    """A torch device that is at hand."""
    import torch

    cuda = torch.cuda.device_count() if torch.cuda.is_available() else 0
    mps = torch.backends.mps.is_available()
    at_hand = ["cpu", *(["cuda"] if cuda else []), *[f"cuda:{k}" for k in range(cuda)]]
    at_hand += ["mps"] if mps else []
    if device == "auto":
        return "cuda:0" if cuda else "mps" if mps else "cpu"
    if device not in at_hand:
        raise DeviceError(f"device {device!r} is not at hand: use 'auto' or one of {at_hand}")
    return "cuda:0" if device == "cuda" else device


def _lock(device: str) -> threading.Lock:
    with _GUARD:
        return _LOCKS.setdefault(device, threading.Lock())
