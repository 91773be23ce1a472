"""What the reader of an answer is told: values that look like gaps, dates with nothing to go by."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xinpaint.core.notes import tell
from xinpaint.core.task import NOT_FILLED, OUTSIDE
from xinpaint.cube.masking import NODATA_KEYS, nodata_of
from xinpaint.cube.schema import Cube, Group, Layer

#: A least value that a larger share of the pixels holds may be what somebody wrote into gaps.
MUCH = 0.01
#: So many dates are named.
SHOWN = 3


def warn(cube: Cube, made: Mapping[Hashable, Mapping[str, xr.Variable]]) -> None:
    """Warn of a band whose gaps were taken for values, and of dates without an observed pixel.

    Parameters
    ----------
    cube : Cube
    made : mapping
        The ``provenance`` of each band; a lazy one is not looked at.
    """
    for group in cube.groups:
        unseen: dict[str, list[str]] = {}
        for layer in group.layers:
            codes, name = made[layer.name]["provenance"], str(layer.name)
            if not isinstance(codes.data, np.ndarray):
                continue
            for entry, part in _entries(cube, group, codes):
                if where := _unseen(cube, group, part):
                    unseen.setdefault(where, []).append(f"{name!r}{entry}")
            if layer.observed is None and (found := suspects(cube, layer)):
                tell(found)
        for where, names in unseen.items():
            tell(f"nothing of {', '.join(names)} was observed {where}, so nothing is filled there")


def suspects(cube: Cube, layer: Layer) -> str:
    """Say in words which value of a NumPy band may stand for gaps, or nothing.

    Where nothing says what is missing, a value of 0 or below that many pixels hold; where NaN or
    a nodata that no pixel holds says so, only one below 0.
    """
    values, name, array = layer.values, str(layer.name), cube.dataset[layer.name]
    if values.dtype.kind != "f":
        return ""
    some = bool(np.isnan(values).any())
    if some or says_missing(array):
        found = _below_zero(values, layer.nodata)
        why = "others are NaN" if some else "what it calls missing is nowhere"
        what = _beside(name, why, *found) if found else ""
    else:
        found = least(values)
        what = nothing_filled(name, *found) if found else ""
    if found is None:
        return ""
    packing = layer.packing
    if packing is not None and (packing.factor, packing.offset) != (1.0, 0.0):
        return f"{what}; if these are gaps, pass observed="  # nodata would be the stored integer
    key = next((key for key in NODATA_KEYS if key in array.attrs), "nodata")
    number = _exact(found[0], values.dtype)
    return (
        f"{what}; if these are gaps, set ds[{name!r}].attrs[{key!r}] = {number}, or pass observed="
    )


def _beside(name: str, why: str, lowest: float, share: float) -> str:
    return (
        f"{share:.1%} of the pixels of {name!r} are exactly {lowest:g}, its least value, and count "
        f"as observed, though {why}"
    )


def _below_zero(values: NDArray[Any], nodata: float | None) -> tuple[float, float] | None:
    """The least value and its share, where it is below 0 and many hold it, and none is nodata."""
    lowest = float(np.fmin.reduce(values, axis=None))
    if not lowest < 0 or (nodata is not None and (values == values.dtype.type(nodata)).any()):
        return None
    share = float((values == lowest).mean())
    return (lowest, share) if share > MUCH else None


def _exact(number: float, dtype: np.dtype[Any]) -> str:
    """Digits that make this very number of a dtype again, as few as six allow."""
    short = f"{number:g}"
    return short if dtype.type(short) == number else str(dtype.type(number))


def says_missing(array: xr.DataArray) -> bool:
    """Whether a number in the attrs or encoding says what is missing; NaN says nothing."""
    told = [array.encoding.get(key) for key in ("_FillValue", "missing_value")]
    return nodata_of(array) is not None or any(n is not None and not np.isnan(n) for n in told)


def least(values: Any) -> tuple[float, float] | None:
    """The least value and its share, where it is 0 or less and many pixels hold it.

    Parameters
    ----------
    values : array of floats, NumPy or dask
        A dask array is read twice.

    Returns
    -------
    (float, float) or None
        None as well where a value is NaN.

    Examples
    --------
    >>> least(np.array([0.0, 0.0, 0.3, 0.4]))
    (0.0, 0.5)
    """
    lowest = float(values.min())
    if not lowest <= 0:
        return None
    share = float((values == lowest).mean())
    return (lowest, share) if share > MUCH else None


def nothing_filled(name: str, lowest: float, share: float) -> str:
    """Say that a band has no gap but, as `least` found, perhaps pixels that stand for one."""
    return (
        f"nothing of {name!r} is filled: it holds no NaN and says no nodata, but {share:.1%} of "
        f"its pixels are exactly {lowest:g}"
    )


def _entries(cube: Cube, group: Group, codes: xr.Variable) -> Iterator[tuple[str, xr.Variable]]:
    """A variable's bands, each with its name in words; itself where it has no band dim."""
    dim = group.dims.band
    if dim is None:
        yield "", codes
        return
    for index, label in enumerate(cube.dataset[dim].values.tolist()):
        yield f" ({dim} {label!r})", codes.isel({dim: index})


def _unseen(cube: Cube, group: Group, codes: xr.Variable) -> str:
    """In words, the dates on which a band was neither observed nor filled anywhere."""
    dims = group.dims
    nothing = ((codes == OUTSIDE) | (codes == NOT_FILLED)).all((dims.y, dims.x)).values
    if not nothing.any():
        return ""
    if dims.time is None:
        return "at all"
    dates = [str(date)[:10] for date in cube.dataset[dims.time].values[nothing]]
    more = f" and {len(dates) - SHOWN:,} more" if len(dates) > SHOWN else ""
    return f"on {', '.join(dates[:SHOWN])}{more}"
