"""Name -> how to make that filler. Nothing is imported before it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import fields
from typing import Any

from xinpaint.errors import MethodError
from xinpaint.methods.base import Filler
from xinpaint.suggestions import did_you_mean


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


def check_known(name: str, options: Iterable[str], neural: Collection[str]) -> None:
    """Refuse a method that is not there, and an option that it has not.

    Parameters
    ----------
    name : str
    options : iterable of str
        Names of what was asked for.
    neural : collection of str
        The methods that need weights.

    Raises
    ------
    MethodError
        Names what there is, and the nearest of it.
    """
    known = sorted([*METHODS, *neural])
    if name not in known:
        guess = did_you_mean(name, known)
        raise MethodError(f"unknown method {name!r}.{guess} There are {', '.join(known)}")
    own = _neural_options(name) if name in neural else _options_of(METHODS[name]())
    for option in options:
        if option not in own:
            has = f"It has {', '.join(own)}" if own else "It has none"
            raise MethodError(f"{name} has no option {option!r}.{did_you_mean(option, own)} {has}")


def _neural_options(name: str) -> list[str]:
    from xinpaint.methods.neural import NeuralFiller

    own = [option for option in _options_of(NeuralFiller) if option != "source"]
    return [*(["model"] if name == "convnp" else []), "weights", *own]


def _options_of(filler: Any) -> list[str]:
    return [each.name for each in fields(filler)]
