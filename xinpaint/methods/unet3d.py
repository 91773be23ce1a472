"""The 3-D U-Net as a classifier: grid alignment, device, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xinpaint.core.task import Task
from xinpaint.core.tiling import Halo, tiles
from xinpaint.errors import SchemaError
from xinpaint.methods.aligned import aligned, inside
from xinpaint.methods.devices import computing, lock, resolve
from xinpaint.methods.neural import NetSource

#: The net looks this far, in pixels.
REACH = 48
#: Side of the tiles that a large task is worked through in, in pixels: what fits into the
#: processor's memory is worth more than a smaller share of halo.
SIDE = 512
CLASSES, BANDS = 3, 3


@dataclass(frozen=True)
class UNet3DClassifier:
    """Water classes of a few months.

    Parameters
    ----------
    source : NetSource
        Makes the net in whichever process the work is done.
    device : str
        ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"cuda:N"``.

    Raises
    ------
    DeviceError
        At construction, if the device is not at hand.
    """

    source: NetSource
    device: str = "auto"

    def __post_init__(self) -> None:
        resolve(self.device)

    @property
    def halo(self) -> Halo:
        """The net's reach in space; it sees all months it is given."""
        return Halo(None, REACH, REACH)

    @property
    def attrs(self) -> dict[str, str]:
        """What the result should tell of its making."""
        return {"xinpaint_weights_sha256": self.source.sha256}

    def __dask_tokenize__(self) -> tuple[Any, ...]:
        return (type(self).__name__, self.source.sha256, self.device)

    def classify(self, task: Task) -> NDArray[np.float32]:
        """Probabilities ``[3 y x]`` of not water, seasonal and permanent.

        Parameters
        ----------
        task : Task
            Reflectance of red, nir and swir1, one date a month, in their order; `context` says
            what was seen. The target is not looked at: every pixel is answered.

        Raises
        ------
        SchemaError
            If there are not three bands.
        """
        t, bands, height, width = task.shape
        if bands != BANDS:
            raise SchemaError(f"found {bands} bands; wanted three: red, nir, swir1")
        made = np.empty((CLASSES, height, width), np.float32)
        device = resolve(self.device)
        net: Any = self.source.net(device)
        with lock(device):
            for tile in tiles((t, height, width), (t, SIDE, SIDE), Halo(0, REACH, REACH)):
                rows, columns = tile.write[1:]
                read = (slice(None), slice(None), *tile.read[1:])
                origin = tuple(o + p[0] for o, p in zip(task.origin, tile.padded[1:], strict=True))
                part = Task(
                    task.values[read],
                    task.context[read],
                    task.target[read],
                    task.days,
                    (origin[0], origin[1]),
                )
                made[:, rows, columns] = _answer(net, part, device)[:, *tile.trim[1:]]
        return made


def _answer(net: Any, task: Task, device: str) -> NDArray[np.float32]:
    import torch

    arrays = aligned(task, range(task.shape[0]), net.stride)
    given = [torch.from_numpy(array)[None].to(device) for array in arrays]
    with torch.inference_mode(), computing(device, "exact"):
        made: NDArray[np.float32] = net(*given).softmax(1)[0].cpu().numpy()
    rows, columns = inside(task, net.stride)
    return made[:, rows, columns]
