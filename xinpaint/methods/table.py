"""Name -> how to make that filler. Nothing is imported before it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from xinpaint.methods.base import Filler


def _navier_stokes(**options: Any) -> Filler:
    from xinpaint.methods.navier_stokes import NavierStokes

    return NavierStokes(**options)


def _telea(**options: Any) -> Filler:
    from xinpaint.methods.telea import Telea

    return Telea(**options)


def _fillnodata(**options: Any) -> Filler:
    from xinpaint.methods.fillnodata import FillNodata

    return FillNodata(**options)


def _biharmonic(**options: Any) -> Filler:
    from xinpaint.methods.biharmonic import Biharmonic

    return Biharmonic(**options)


def _linear_time(**options: Any) -> Filler:
    from xinpaint.methods.linear_time import LinearTime

    return LinearTime(**options)


def _histogram(**options: Any) -> Filler:
    from xinpaint.methods.histogram import Histogram

    return Histogram(**options)


def _nspi(**options: Any) -> Filler:
    from xinpaint.methods.nspi import NSPI

    return NSPI(**options)


def _harmonic(**options: Any) -> Filler:
    from xinpaint.methods.harmonic import Harmonic

    return Harmonic(**options)


def _regression(**options: Any) -> Filler:
    from xinpaint.methods.regression import LocalRegression

    return LocalRegression(**options)


#: Every method that needs no weights. A factory takes the method's options as keywords.
METHODS: dict[str, Callable[..., Filler]] = {
    "navier_stokes": _navier_stokes,
    "telea": _telea,
    "fillnodata": _fillnodata,
    "biharmonic": _biharmonic,
    "linear_time": _linear_time,
    "histogram": _histogram,
    "nspi": _nspi,
    "harmonic": _harmonic,
    "regression": _regression,
}
