"""Banks of gap windows on disk: one compact ``.npz``, which recipes read."""

from __future__ import annotations

import os
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from xinpaint.errors import DataError


def save_bank(path: str | os.PathLike[str], bank: NDArray[np.bool_], *, name: str = "") -> Path:
    """Write windows of gaps, eight pixels a byte; what was there is replaced whole.

    Parameters
    ----------
    path : path
        Ends in ``.npz``.
    bank : bool ``[n y x]``
        True = gap; x a multiple of 8. As `xinpaint.masks.from_scene` cuts them.
    name : str
        Where they come from; kept in the file.

    Raises
    ------
    DataError
        Where the path or the bank is not as wanted.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = save_bank(f"{folder}/gaps.npz", np.eye(8, dtype=bool)[None])
    ...     load_bank(path).shape
    (1, 8, 8)
    """
    path, bank = Path(path), np.asarray(bank)
    if path.suffix != ".npz":
        raise DataError(f"{path} does not end in .npz: recipes look for such files")
    if bank.dtype != bool or bank.ndim != 3 or not len(bank) or bank.shape[2] % 8:
        raise DataError(
            f"found an array of {bank.dtype} {bank.shape}; wanted booleans [n y x], n above 0 "
            "and x a multiple of 8"
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".partial")
    with part.open("wb") as file:
        np.savez_compressed(file, mask=np.packbits(bank, axis=-1), name=np.array(name))
    part.replace(path)
    return path


def load_bank(path: str | os.PathLike[str]) -> NDArray[np.bool_]:
    """Read windows of gaps.

    Parameters
    ----------
    path : path
        As `save_bank` wrote it.

    Returns
    -------
    bool ``[n y x]``
        True = gap.

    Raises
    ------
    DataError
        Where the file is missing, damaged, pickled or no bank.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = save_bank(f"{folder}/gaps.npz", np.eye(8, dtype=bool)[None])
    ...     load_bank(path).shape
    (1, 8, 8)
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f"no bank of gaps at {path}: write one with xinpaint.masks.save_bank")
    try:
        with path.open("rb") as file, np.load(file) as held:
            packed = held["mask"]
    except (OSError, ValueError, KeyError, TypeError, BadZipFile, EOFError) as error:
        raise DataError(
            f"{path} is no bank of gaps ({error}): write it again with xinpaint.masks.save_bank"
        ) from error
    if packed.dtype != np.uint8 or packed.ndim != 3 or not len(packed):
        raise DataError(
            f"{path} holds {packed.dtype} {packed.shape}; wanted packed bits, uint8 [n y x/8]: "
            "write it again with xinpaint.masks.save_bank"
        )
    return np.unpackbits(packed, axis=-1).astype(np.bool_)
