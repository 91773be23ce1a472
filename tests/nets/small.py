"""Weights for tests: the shipped ones where they are, else a small net of random numbers."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

import torch

from xinpaint.io.weights import MODELS, NEURAL, SHIPPED, save
from xinpaint.nets.table import NETS

#: Numbers of a net small enough for a test.
SMALL: dict[str, dict[str, Any]] = {
    "convcnp": {
        "widths": [8, 8, 8],
        "shared": [0, 8, 8],
        "levels": True,
        "between": [12, 20],
    },
    "ongrid": {"width": 8, "blocks": 2, "kernel": 9, "shared": 8},
    "convlnp": {"widths": [8, 8], "shared": 8, "latents": 4},
    "unet": {"widths": [8, 8, 8, 8], "shared": 8},
    "partialconv": {"widths": [8, 8, 8, 8], "shared": 8},
}


def write(
    folder: Path, net: str, *, name: str = "", seed: int = 0, lacks: str = "", **recipe: Any
) -> Path:
    """Random weights of a small net, as training would have left them in a folder."""
    torch.manual_seed(seed)
    numbers = {key: value for key, value in SMALL[net].items() if key != lacks}
    made = NETS[net](**numbers)
    with torch.no_grad():
        for p in made.parameters():  # heads begin at zero, and would answer nothing but the frame
            p.add_(0.05 * torch.randn_like(p))
        if net == "convlnp":
            made.latent.bias[SMALL[net]["latents"] :] = 3.0  # wide latents: draws that differ
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name or net}.safetensors"
    told = {"name": name or net, "net": net, "seed": seed, **recipe}
    return save(path, made, name=net, numbers=numbers, recipe=told, scores={})


@cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    """Removed when the process ends."""
    return tempfile.TemporaryDirectory(prefix="xinpaint-weights-")


def small(net: str) -> dict[str, str]:
    """What a method has to be told to run on random weights of a small net."""
    path = Path(_folder().name) / f"{net}.safetensors"
    return {"weights": str(path if path.is_file() else write(path.parent, net))}


def options(net: str) -> dict[str, str]:
    """What a method has to be told to run: nothing, or a name, where its weights are shipped."""
    if (SHIPPED / f"{net}.safetensors").is_file():
        return {"model": net} if net in MODELS else {}
    return small(net)


def method_of(net: str) -> str:
    """The method that a net belongs to."""
    return net if net in NEURAL else "convnp"


#: Name of a test -> neural method and what makes its options: each method, and each model.
NETS_IN_USE: dict[str, tuple[str, Callable[[], dict[str, str]]]] = {
    name: (method_of(name), partial(options, name)) for name in dict.fromkeys((*NEURAL, *MODELS))
}
