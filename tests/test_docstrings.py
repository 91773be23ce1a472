"""Every name of the API page says what it takes, what it raises where it raises, and an example."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import re
from pathlib import Path
from typing import Any

import pytest

from xinpaint.accessors import Inpaint
from xinpaint.accessors_plot import Plot
from xinpaint.accessors_water import Water

PAGE = (Path(__file__).parent.parent / "docs" / "api.rst").read_text()
NAMES = re.findall(r"^   (Dataset\.[\w.]+|[a-z]\w*\.[\w.]+)$", PAGE, flags=re.M)
#: Protocols, whose example is in *Extend*, and a record that only `find` makes.
PROTOCOLS = {"io.weights.Weights", "methods.base.Filler", "methods.base.Classifier"}

each = pytest.mark.parametrize("name", [n for n in NAMES if not n.startswith("errors.")])


def found(name: str) -> Any:
    if name.startswith("Dataset."):
        _, accessor, method = name.split(".")
        return getattr({"inpaint": Inpaint, "water": Water}[accessor], method)
    parts = name.split(".")
    depth = next(k for k, part in enumerate(parts) if part[0].isupper() or k == len(parts) - 1)
    made: Any = importlib.import_module(".".join(["xinpaint", *parts[:depth]]))
    for part in parts[depth:]:
        made = getattr(made, part)
    return made


def parameters(thing: Any) -> list[str]:
    if inspect.isclass(thing) and not dataclasses.is_dataclass(thing):
        return []
    names = inspect.signature(thing).parameters.values()
    return [p.name for p in names if p.name != "self" and p.kind is not p.VAR_POSITIONAL]


def section(doc: str, title: str) -> str:
    match = re.search(rf"^{title}\n-+\n(.*?)(?=^\w[\w ]*\n-+\n|\Z)", doc, flags=re.M | re.S)
    return match.group(1) if match else ""


@each
def test_every_parameter_is_told(name: str) -> None:
    thing = found(name)
    told = section(inspect.getdoc(thing) or "", "Parameters")
    names = {
        w.strip(" *")
        for line in told.splitlines()
        if line[:1].strip()
        for w in line.split(" : ")[0].split(",")
    }
    assert not [p for p in parameters(thing) if p not in names]


@each
def test_an_example_is_given(name: str) -> None:
    if name not in PROTOCOLS:
        assert ">>> " in section(inspect.getdoc(found(name)) or "", "Examples")


@each
def test_what_is_raised_is_told(name: str) -> None:
    thing = found(name)
    if not inspect.isfunction(thing) or not re.search(
        r"^\s+raise \w", inspect.getsource(thing), re.M
    ):
        return
    assert section(inspect.getdoc(thing) or "", "Raises")


def test_the_page_names_every_method_of_the_accessors() -> None:
    for accessor, word in ((Inpaint, "inpaint"), (Water, "water")):
        public = [n for n in dir(accessor) if not n.startswith("_") and n != "plot"]
        assert not [n for n in public if f"Dataset.{word}.{n}" not in NAMES]
    drawn = [n for n in dir(Plot) if not n.startswith("_")]
    assert not [n for n in drawn if f"accessors_plot.Plot.{n}" not in NAMES]
