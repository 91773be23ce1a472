"""Where a net computes: which device, one lock for each, how exactly, and what when it is full."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Sequence
from typing import Any

from xinpaint.errors import DeviceError

#: How a net may compute: "exact" is float32 without TF32; the others are mixed precision.
PRECISIONS = ("exact", "bf16", "fp16")
#: Bytes that one call of a net may take on a device with memory of its own, and what a band-pixel
#: of input takes of them, both roughly: a call that does not fit is halved. Fixed numbers, not the
#: free memory of the moment, so that the same cube is cut into the same calls everywhere.
BUDGET, BYTES = 8 * 2**30, 512

_LOCKS: dict[str, threading.Lock] = {}
_GUARD = threading.Lock()


def resolve(device: str) -> str:
    """A torch device that is at hand.

    Raises
    ------
    DeviceError
        Where it is not.
    """
    import torch

    cuda = torch.cuda.device_count() if torch.cuda.is_available() else 0
    at_hand = ["cpu", *(["cuda"] if cuda else []), *[f"cuda:{k}" for k in range(cuda)]]
    if device == "auto":
        return "cuda:0" if cuda else "cpu"
    if device == "mps":
        raise DeviceError(
            "device 'mps' has no double precision, which local statistics need: use 'cpu'"
        )
    if device not in at_hand:
        raise DeviceError(f"device {device!r} is not at hand: use 'auto' or one of {at_hand}")
    return "cuda:0" if device == "cuda" else device


def lock(device: str) -> threading.Lock:
    """The lock of a device, so that threads do not crowd it."""
    with _GUARD:
        return _LOCKS.setdefault(device, threading.Lock())


def computing(device: str, precision: str) -> contextlib.AbstractContextManager[Any]:
    """Compute in this precision; exactly, an answer must not depend on its tile, as with TF32."""
    import torch

    if precision != "exact":
        dtype = torch.bfloat16 if precision == "bf16" else torch.float16
        coarse: Any = torch.autocast
        made: contextlib.AbstractContextManager[Any] = coarse(device.split(":")[0], dtype)
        return made
    if not device.startswith("cuda"):
        return contextlib.nullcontext()
    flags: Any = torch.backends.cudnn.flags
    exact: contextlib.AbstractContextManager[Any] = flags(enabled=True, allow_tf32=False)
    return exact


def batches(
    dates: Sequence[tuple[int, tuple[int, ...]]], pixels: int, device: str
) -> list[list[tuple[int, tuple[int, ...]]]]:
    """Cut dates into calls of a net: one each on the CPU, elsewhere as many as the budget takes.

    Parameters
    ----------
    dates : sequence of (date, its other dates)
        Only neighbours with the same number of other dates go into one call.
    pixels : int
        Band-pixels of a date.
    device : str
    """
    made: list[list[tuple[int, tuple[int, ...]]]] = []
    for entry in dates:
        size = len(entry[1])
        most = 1 if device == "cpu" else max(1, BUDGET // (BYTES * pixels * (1 + size)))
        if made and len(made[-1]) < most and len(made[-1][0][1]) == size:
            made[-1].append(entry)
        else:
            made.append([entry])
    return made


def is_full(error: BaseException) -> bool:
    """Whether an error says that the memory of a device ran out."""
    import torch

    return isinstance(error, torch.cuda.OutOfMemoryError) or (
        isinstance(error, RuntimeError) and "out of memory" in str(error)
    )


def release(device: str) -> None:
    """Give memory back that torch holds on a device in case it is needed."""
    import torch

    if device.startswith("cuda"):
        torch.cuda.empty_cache()
