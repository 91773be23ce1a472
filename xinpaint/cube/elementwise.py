"""Functions of one pixel, applied at once or lazily."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np


def each(function: Callable[..., Any], *arrays: Any, dtype: Any) -> Any:
    """Apply an elementwise function to arrays of one shape; lazily where one of them is lazy.

    Parameters
    ----------
    function : callable
        NumPy arrays in, one of the same shape out.
    arrays : numpy or dask arrays
        The first lazy one gives the chunks.
    dtype : dtype
        Of the outcome.
    """
    lazy = next((array for array in arrays if not isinstance(array, np.ndarray)), None)
    if lazy is None:
        return function(*arrays)
    import dask.array as da

    same = [
        da.from_array(array, chunks=lazy.chunks)
        if isinstance(array, np.ndarray)
        else array.rechunk(lazy.chunks)
        for array in arrays
    ]
    meta = np.empty((0,) * lazy.ndim, dtype)
    return da.map_blocks(function, *same, dtype=dtype, meta=meta)


def stack(arrays: Sequence[Any], axis: int = 0) -> Any:
    """Stack arrays along a new axis, lazily where one of them is lazy."""
    if all(isinstance(array, np.ndarray) for array in arrays):
        return np.stack(arrays, axis)
    import dask.array as da

    return da.stack(arrays, axis)


def full_like(plane: Any, value: float) -> Any:
    """Make a constant array of the shape, dtype and chunks of another."""
    if isinstance(plane, np.ndarray):
        return np.full_like(plane, value)
    import dask.array as da

    return da.full_like(plane, value)
