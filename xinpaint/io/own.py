"""What tells a filler of the user's own from others, in every process alike."""

from __future__ import annotations

import hashlib
import io
import pickle
import sys
from typing import Any

from dask.base import tokenize

from xinpaint.errors import JobError
from xinpaint.methods.base import Filler


def token(method: Filler) -> str:
    """A hash of the filler and of what it holds.

    The class of a script or notebook goes by its name. To dask it is what it was made of in this
    process, another in every process; a job of such a filler could never be resumed.

    Raises
    ------
    JobError
        Where what it holds cannot be pickled.
    """
    if type(method).__module__ != "__main__":
        return str(tokenize(method))
    data = io.BytesIO()
    try:
        _ByReference(data, protocol=4).dump((type(method).__qualname__, method))
    except Exception as error:  # each type raises its own
        raise JobError(
            f"the filler, or what it holds, cannot be pickled ({error}), so that a job could not "
            f"be resumed: make {type(method).__name__} a class at the top of the script or of a "
            "module, which holds only what pickles"
        ) from error
    return hashlib.sha256(data.getvalue()).hexdigest()


class _ByReference(pickle.Pickler):
    """Pickles a tensor as its values: torch would write where in memory they lie."""

    def reducer_override(self, obj: Any) -> Any:
        torch = sys.modules.get("torch")
        if torch is None or not isinstance(obj, torch.Tensor):
            return NotImplemented
        flat = obj.detach().cpu().contiguous().reshape(-1)
        told = (str(obj.dtype), tuple(obj.shape), flat.view(torch.uint8).numpy().tobytes())
        return tuple, (told,)
