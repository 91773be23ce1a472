"""Fill the gaps of satellite image cubes: ``ds.inpaint.convnp()`` on any xarray Dataset.

Importing the package registers the accessors ``.inpaint`` and ``.water`` and loads neither torch
nor any other heavy library; these wait for the method that needs them.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from xinpaint import accessors as accessors
from xinpaint import accessors_water as accessors_water
from xinpaint.version import __version__ as __version__

#: Public name -> the room it lives in; imported when first asked for.
_ROOMS = {
    "masks": "xinpaint.masks",
    "metrics": "xinpaint.core.metrics",
    "tutorial": "xinpaint.io.tutorial",
}
#: Public function -> the room it lives in, likewise.
_FUNCTIONS = {
    "append": "xinpaint.io.append",
    "fill": "xinpaint.io.job",
    "open_ee": "xinpaint.io.earthengine",
    "open_filled": "xinpaint.io.verify",
    "open_scenes": "xinpaint.io.scenes",
    "open_stac": "xinpaint.io.stac",
    "status": "xinpaint.io.verify",
    "verify": "xinpaint.io.verify",
}

__all__ = [
    "__version__",
    "accessors",
    "accessors_water",
    "append",
    "fill",
    "masks",
    "metrics",
    "open_ee",
    "open_filled",
    "open_scenes",
    "open_stac",
    "status",
    "tutorial",
    "verify",
]


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return import_module(_ROOMS[name])
    if name in _FUNCTIONS:
        return getattr(import_module(_FUNCTIONS[name]), name)
    raise AttributeError(f"module 'xinpaint' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
