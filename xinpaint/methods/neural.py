"""Any of our nets as a filler: grid alignment, device, and nothing else.

Pondaven et al. 2022 (arXiv 2205.12407): each image is a task of its own, context = observed
pixels, target = the missing ones.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from xinpaint.core.task import Fill, Task
from xinpaint.core.tiling import Halo
from xinpaint.errors import DeviceError

if TYPE_CHECKING:
    from torch import nn

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

    def net(self, device: str) -> nn.Module:
        """The net on a device, in evaluation mode."""
        ...


@dataclass(frozen=True)
class NeuralFiller:
    """Fill each date from its own context with a net of bands ``[n b y x]`` → mean, std.

    Parameters
    ----------
    source : NetSource
        Makes the net in whichever process the work is done.
    device : str
        ``"auto"``, ``"cpu"``, ``"cuda"``, ``"cuda:N"`` or ``"mps"``.

    Raises
    ------
    DeviceError
        At construction, if the device is not at hand.
    """

    source: NetSource
    device: str = "auto"
    has_std = True

    def __post_init__(self) -> None:
        _resolve(self.device)

    @property
    def halo(self) -> Halo:
        """Space only; dates do not see each other."""
        return Halo(0, REACH, REACH)

    @property
    def attrs(self) -> dict[str, str]:
        """What the result should tell of its making."""
        return {"xinpaint_weights_sha256": self.source.sha256}

    def __dask_tokenize__(self) -> tuple[str, str, str]:
        return (type(self).__name__, self.source.sha256, self.device)

    def fill(self, task: Task) -> Fill:
        """Mean and standard deviation at the target, in the unit of the values."""
        mean = np.full(task.shape, np.nan, np.float32)
        std = np.full(task.shape, np.nan, np.float32)
        if task.target.any() and task.context.any():
            device = _resolve(self.device)
            net = self.source.net(device)
            with _lock(device):
                for date in range(task.shape[0]):
                    if task.target[date].any():
                        mean[date], std[date] = _answer(net, task, date, device)
        mean[~task.target] = np.nan
        std[~task.target] = np.nan
        return Fill(mean, std)


def _answer(
    net: Any, task: Task, date: int, device: str
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """One date ``[b y x]``, widened to the net's stride on the global grid."""
    import torch

    height, width = task.shape[2:]
    top, left = (place % net.stride for place in task.origin)
    below, right = (-(n + p) % net.stride for n, p in ((height, top), (width, left)))
    edges = ((0, 0), (top, below), (left, right))
    context = np.pad(task.context[date], edges)
    values = np.pad(np.where(task.context[date], task.values[date], 0), edges)
    with torch.inference_mode(), _exact(device):
        mean, std = net(
            torch.from_numpy(values)[None].to(device),
            torch.from_numpy(context.astype(np.float32))[None].to(device),
        )
    inside = (0, slice(None), slice(top, top + height), slice(left, left + width))
    return mean[inside].cpu().numpy(), std[inside].cpu().numpy()


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
