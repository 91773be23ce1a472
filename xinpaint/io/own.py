"""What tells a filler of the user's own from others, in every process alike."""

from __future__ import annotations

import hashlib
import io
import pickle
import sys
from contextlib import suppress
from dataclasses import is_dataclass
from types import FunctionType
from typing import Any

from dask.base import tokenize

from xinpaint.errors import JobError
from xinpaint.methods.base import Filler


def token(method: Filler) -> str:
    """A hash of the filler and of what it holds.

    It is dask's, unless the filler holds something of a script or notebook, or of torch. To dask
    these are what they were made of in this process, another in every process; a job of such a
    filler could never be resumed. What is of a script goes by its name, a tensor by its values.
    Of a dataclass dask takes all fields; where it says itself what counts, that does.

    Raises
    ------
    JobError
        Where what it holds cannot be told in every process alike.
    """
    kind: Any = type(method)
    data = io.BytesIO()
    told = _ByReference(data)
    try:
        told.dump((kind.__qualname__, method))
        if not (told.own or (is_dataclass(kind) and _says_itself(kind))):
            with suppress(RuntimeError):  # dask cannot tell it alike twice
                return str(tokenize(method, ensure_deterministic=True))
        if told.nameless:
            raise pickle.PicklingError(f"{told.nameless} has no name in its module")
    except Exception as error:  # each type raises its own
        raise JobError(
            f"the filler, or what it holds, cannot be pickled ({error}), so that a job could not "
            f"be resumed: make {kind.__name__} a class at the top of the script or of a "
            "module, which holds only what pickles; what its `fill` makes anew, such as a lock, "
            "leave out in its `__getstate__`"
        ) from error
    return hashlib.sha256(data.getbuffer()).hexdigest()


def _says_itself(kind: Any) -> bool:
    return kind.__getstate__ is not object.__getstate__


class _ByReference(pickle._Pickler):  # that in C shows no sets
    """Pickles what is equal alike, wherever in memory it lies and whichever of it is one object.

    `own` says whether there was anything that dask does not tell alike in each process, and
    `nameless` a function that goes by its code.
    """

    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file, protocol=4)
        self.fast = True  # no word on what was met before
        self.own, self.nameless = False, ""

    def reducer_override(self, obj: Any) -> Any:
        kind, torch = type(obj), sys.modules.get("torch")
        if "__main__" in (kind.__module__, getattr(obj, "__module__", None)):
            self.own = True
        if torch is not None and isinstance(obj, torch.Generator):
            self.own = True
            return tuple, ((str(obj.device), obj.get_state().numpy().tobytes()),)
        if torch is not None and isinstance(obj, torch.Tensor):
            self.own = True
            flat = obj.detach().cpu().contiguous().reshape(-1)
            told = (str(obj.dtype), tuple(obj.shape), flat.view(torch.uint8).numpy().tobytes())
            return tuple, (told,)
        if kind in (set, frozenset):
            return tuple, ((kind.__name__, sorted(self._alone(one) for one in obj)),)
        if kind is FunctionType and "<" in obj.__qualname__:
            self.nameless = obj.__qualname__
            held = [cell.cell_contents for cell in obj.__closure__ or ()]
            return tuple, ((obj.__defaults__, held),)
        if hasattr(kind, "__dask_tokenize__"):
            return str, (tokenize(obj),)
        return NotImplemented

    def _alone(self, obj: Any) -> bytes:
        """One of a set, which has no order."""
        data = io.BytesIO()
        one = _ByReference(data)
        one.dump(obj)
        self.own, self.nameless = self.own or one.own, self.nameless or one.nameless
        return data.getvalue()
