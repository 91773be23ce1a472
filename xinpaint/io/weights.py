"""Weights as records: a safetensors file, its card, and the checks before anything is trusted.

Also the one place where a method's name becomes a ready filler.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xinpaint.errors import MethodError, WeightsError
from xinpaint.methods.base import Classifier, Filler
from xinpaint.methods.table import METHODS, check_known

if TYPE_CHECKING:
    from torch import nn

#: Weights shipped with the package.
SHIPPED = Path(__file__).parent.parent / "weights"
#: Neural methods and the weights they use by default.
NEURAL = {"convnp": "convnp", "unet": "unet", "partialconv": "partialconv"}
#: Neural processes that `convnp` can be asked for by name.
MODELS = ("convnp", "convcnp", "convlnp", "ongrid")
#: Weights of the net that tells classes of water.
WATER = "unet3d-water"
#: What the card of a net says that takes whatever bands there are.
ANY_BANDS = "any number, any order, any unit"
#: Nets that take other dates, that average orientations, that tell classes instead of filling.
DATED, TURNED, CLASSIFIERS = {"convnp"}, {"convnp", "convcnp"}, {"unet3d"}

_LOCK = threading.Lock()


@dataclass(frozen=True)
class Weights:
    """A weights file as the rest of the package sees it: where it is and what it must be.

    Pickles as a path and a hash, never as tensors; each process loads a net once a device.

    Parameters
    ----------
    path : str
        The ``.safetensors`` file; its card is the ``.json`` beside it.
    sha256 : str
        Of the file; checked again wherever it is loaded.
    """

    path: str
    sha256: str

    @property
    def probabilistic(self) -> bool:
        """Whether the net says how sure it is."""
        return bool(card(self.path).get("probabilistic", True))

    def net(self, device: str) -> nn.Module:
        """The ready net in evaluation mode, loaded once per process and device.

        Raises
        ------
        WeightsError
            If the file is not what the hash says, or does not fit its net.
        """
        with _LOCK:
            return _net(self, device)


def find(weights: str | os.PathLike[str] | None = None, *, method: str = "convnp") -> Weights:
    """Find weights by shipped name or path and read their hash.

    Parameters
    ----------
    weights : str or path, optional
        A shipped name such as ``"convcnp"``, or the path of a ``.safetensors`` file with its
        card beside it; the method's own default where not given.
    method : str
        Whose default.

    Raises
    ------
    WeightsError
        If there is no such file, no card, or the card's hash is not the file's.
    """
    if not isinstance(weights, str | os.PathLike | None):
        raise WeightsError(f"weights = {weights!r}: give a shipped name or a path")
    asked = NEURAL[method] if weights is None else os.fspath(weights)
    shipped = SHIPPED / f"{asked}.safetensors"
    path = shipped if shipped.is_file() else Path(asked)
    if not path.is_file():
        names = sorted(p.stem for p in SHIPPED.glob("*.safetensors"))
        raise WeightsError(
            f"no weights {asked!r}: shipped are {names}, and there is no such file; give one of "
            "these names or the path of a .safetensors file"
        )
    if path.suffix != ".safetensors":
        raise WeightsError(
            f"{path} is not a .safetensors file; other formats, above all pickled weights, are "
            "refused: write them with xinpaint.io.weights.save"
        )
    found = sha256(path)
    told = card(path).get("sha256")
    if told != found:
        raise WeightsError(
            f"{path} is damaged or not the card's: sha256 is {found[:12]}…, "
            f"the card says {str(told)[:12]}…; fetch or train it again"
        )
    return Weights(str(path.resolve()), found)


def card(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The JSON card beside a weights file.

    Raises
    ------
    WeightsError
        If it is missing or is not a JSON object with ``net``, ``numbers`` and ``sha256``.
    """
    place = Path(path).with_suffix(".json")
    if not place.is_file():
        found = f"{path} has no card: put {place.name} beside it"
        raise WeightsError(f"{found}, which `xinpaint train` wrote with it")
    try:
        told = json.loads(place.read_text())
    except ValueError as error:
        raise WeightsError(
            f"{place} is not JSON ({error}): copy the weights and their card again"
        ) from error
    if not isinstance(told, dict) or not {"net", "numbers", "sha256"} <= set(told):
        raise WeightsError(f"{place} must hold net, numbers and sha256: copy it again")
    return told


def sha256(path: str | os.PathLike[str]) -> str:
    """Hash of a file, in hexadecimal."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def save(
    path: str | os.PathLike[str],
    net: nn.Module,
    *,
    name: str,
    numbers: Mapping[str, Any],
    recipe: Mapping[str, Any],
    scores: Mapping[str, Any],
    bands: str = ANY_BANDS,
    more: Mapping[str, Any] | None = None,
) -> Path:
    """Write a net as safetensors, then its card; both appear whole or not at all.

    Parameters
    ----------
    path : path
        Ends in ``.safetensors``.
    net : torch module
        Its state becomes the file.
    name, numbers : str, mapping
        Key of the net table and the net's own arguments.
    recipe, scores : mapping
        Kept in the card, as is `bands`: what the net takes.
    more : mapping, optional
        Further entries of the card.
    """
    from safetensors.torch import save_file

    path = Path(path)
    part = path.with_suffix(".partial")
    save_file({k: v.contiguous().cpu() for k, v in net.state_dict().items()}, part)
    told = {
        "net": name,
        "numbers": dict(numbers),
        "sha256": sha256(part),
        "probabilistic": bool(getattr(net, "probabilistic", True)),
        "bands": bands,
        "licence": recipe.get("licence", ""),
        "reference": recipe.get("reference", ""),
        "scores": dict(scores),
        "recipe": dict(recipe),
        **(more or {}),
    }
    note = path.with_suffix(".json.partial")
    note.write_text(json.dumps(told, indent=2) + "\n")
    part.replace(path)
    note.replace(path.with_suffix(".json"))
    return path


def filler(name: str, **options: Any) -> Filler:
    """A ready filler by method name.

    Parameters
    ----------
    name : str
        One of :data:`NEURAL` or of :data:`xinpaint.methods.table.METHODS`.
    **options
        The method's own; for neural methods ``weights``, ``device``, ``precision``, ``context``,
        ``max_dates``, ``max_days``, ``turns`` and ``seed``, for ``"convnp"`` also ``model``.

    Raises
    ------
    MethodError
        If the method or an option is unknown.
    WeightsError
        If the weights are missing, damaged or of another net.
    """
    check_known(name, options, NEURAL)
    try:
        if name in NEURAL:
            from xinpaint.methods.neural import NeuralFiller

            model = options.pop("model", None) if name == "convnp" else name
            source = _source(name, model, options.pop("weights", None))
            net = card(source.path)["net"]
            if options.get("turns") is not None and net not in TURNED:
                raise MethodError(
                    f"turns: only {sorted(TURNED)} know it, not {net!r}; leave it out"
                )
            options["context"] = _context(source, net, options.get("context", "auto"))
            return NeuralFiller(source, **options)
        return METHODS[name](**options)
    except TypeError as error:
        raise MethodError(f"{name}: {error}; its options are in help(ds.inpaint.{name})") from error


def classifier(weights: str | os.PathLike[str] | None = None, device: str = "auto") -> Classifier:
    """A ready classifier of water.

    Raises
    ------
    WeightsError
        If the weights are missing, damaged, or of a net that fills.
    """
    from xinpaint.methods.unet3d import UNet3DClassifier

    source = find(WATER if weights is None else weights)
    if (net := card(source.path)["net"]) not in CLASSIFIERS:
        raise WeightsError(
            f"{source.path} is of the net {net!r}, which tells no classes: wanted weights of one "
            f"of {sorted(CLASSIFIERS)}"
        )
    return UNet3DClassifier(source, device)


def _source(name: str, model: str | None, weights: str | os.PathLike[str] | None) -> Weights:
    """Weights that fill and, where a net was asked for, are of that net."""
    if name == "convnp" and model is not None and model not in MODELS:
        raise MethodError(f"model = {model!r}: use one of {list(MODELS)}")
    source = find(model if weights is None else weights, method=name)
    net = card(source.path)["net"]
    if net in CLASSIFIERS:
        raise WeightsError(f"{source.path} fills nothing: use it in ds.water.seasonality(weights=)")
    if model is not None and net != model:
        asked = f"{model!r} as asked: give other weights, or ask for that net"
        raise WeightsError(f"{source.path} is of the net {net!r}, not {asked}")
    return source


def _context(source: Weights, net: str, asked: str) -> str:
    """Space alone for nets that take no other dates; an error if time was asked of one."""
    if net in DATED:
        return asked
    if asked == "time":
        raise WeightsError(
            f"{source.path} is a net of space alone, but context='time' was asked: use "
            "context='space', or weights of a net that takes other dates"
        )
    return "space" if asked == "auto" else asked


@lru_cache(maxsize=8)
def _net(weights: Weights, device: str) -> nn.Module:
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    from xinpaint.nets.table import NETS

    told = card(weights.path)
    if sha256(weights.path) != weights.sha256:
        raise WeightsError(f"{weights.path} changed since it was chosen: choose it again")
    if (name := told["net"]) not in NETS:
        known = f"known are {sorted(NETS)}: update xinpaint, or choose others"
        raise WeightsError(f"{weights.path} needs net {name!r}; {known}")
    try:
        state = load_file(weights.path)
        net = NETS[name](**told["numbers"])
        net.load_state_dict(state)
    except (SafetensorError, RuntimeError, TypeError, ValueError) as error:
        raise WeightsError(f"{weights.path} does not fit {name}: {error}; choose others") from error
    if bad := [k for k, v in state.items() if not bool(torch.isfinite(v).all())]:
        raise WeightsError(f"{weights.path} holds NaN or infinity in {bad[:3]}: train it again")
    return net.to(device).eval().requires_grad_(False)
