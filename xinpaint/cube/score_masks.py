"""Gaps that a score hides pixels under, and whether what was asked for can be scored."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xinpaint.core import masks as gap_masks
from xinpaint.errors import MethodError
from xinpaint.methods.base import Filler

MASKS: dict[str, Callable[..., NDArray[np.bool_]]] = {
    "scan_lines": gap_masks.scan_lines,
    "clouds": gap_masks.clouds,
}


def check_names(methods: Any) -> list[str]:
    """Names of methods as a list; MethodError where anything else is among them."""
    known = isinstance(methods, Iterable) and not isinstance(methods, str)
    names = list(methods) if known else [methods]
    for name in names:
        if not isinstance(name, str):
            mine = next((str(key) for key in name), "mine") if isinstance(name, Mapping) else "mine"
            raise MethodError(
                f"found {type(name).__name__} among the methods: {name!r}; wanted names, or one "
                "dict of fillers: from xinpaint.io.weights import filler; "
                f"score({{'telea': filler('telea'), {mine!r}: ...}})"
            )
    return names


def check(fillers: Mapping[str, Filler], masks: Sequence[str], seed: Any) -> None:
    """Raise MethodError where masks, methods or the seed of a score make no sense."""
    unknown = [name for name in masks if name not in MASKS]
    if not masks:
        raise MethodError(f"no mask to score under; name at least one of {sorted(MASKS)}")
    if unknown:
        raise MethodError(f"unknown masks {unknown}; wanted some of {sorted(MASKS)}")
    if not fillers:
        raise MethodError("no method to score; name at least one")
    for name, filler in fillers.items():
        if not callable(getattr(filler, "fill", None)) or not hasattr(filler, "halo"):
            raise MethodError(
                f"method {name!r} is {filler!r}; wanted a filler, such as "
                "xinpaint.methods.table.METHODS['telea'](): methods by name go in a list, "
                "score(['telea'])"
            )
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        raise MethodError(f"seed={seed!r}; wanted a whole number of 0 or more")
