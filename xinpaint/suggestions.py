"""What somebody may have meant: the nearest of the names that there are."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any, NoReturn, TypeVar

Class = TypeVar("Class", bound=type)


def did_you_mean(word: object, known: Iterable[object]) -> str:
    """A sentence that names the nearest known name; empty where none is near.

    Parameters
    ----------
    word : object
        What was found.
    known : iterable
        What there is.

    Examples
    --------
    >>> did_you_mean("maxdates", ["max_dates", "max_days"])
    " Did you mean 'max_dates'?"
    """
    names = {str(name).lower(): str(name) for name in known}
    near = difflib.get_close_matches(str(word).lower(), names, n=1, cutoff=0.6)
    return f" Did you mean {names[near[0]]!r}?" if near else ""


def suggesting(accessor: str) -> Any:
    """Decorate a class so that what is misspelt is answered with the nearest name, and all others.

    Attributes, and options of its methods.

    A decorator, so that type checkers, which know what there is, still see a misspelt name.

    Parameters
    ----------
    accessor : str
        What a user calls an instance of it, such as ``"ds.inpaint"``.
    """

    def missing(self: object, name: str) -> NoReturn:
        known = [each for each in dir(type(self)) if not each.startswith("_")]
        if name.startswith("_"):  # asked by notebooks, copy and pickle: nobody reads this
            raise AttributeError(name)
        raise AttributeError(
            f"{accessor} has no {name!r}.{did_you_mean(name, known)} There are {', '.join(known)}",
            obj=self,  # without a name Python adds no guess of its own
        )

    def decorate(cls: Class) -> Class:
        cls.__getattr__ = missing  # type: ignore[attr-defined]
        for name, method in inspect.getmembers(cls, inspect.isfunction):
            if not name.startswith("_"):
                setattr(cls, name, _checked(f"{accessor}.{name}", method))
        return cls

    return decorate


def _checked(called: str, method: Callable[..., Any]) -> Callable[..., Any]:
    """The method; an option that it has not is a TypeError that names the nearest, and all."""
    own = list(inspect.signature(method).parameters)[1:]

    @wraps(method)
    def checked(self: object, *args: Any, **options: Any) -> Any:
        for option in options:
            if option not in own:
                has = f"It has {', '.join(own)}" if own else "It has none"
                raise TypeError(
                    f"{called} has no option {option!r}.{did_you_mean(option, own)} {has}"
                )
        return method(self, *args, **options)

    return checked
