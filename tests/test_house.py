"""The rules of the house: what loads when, how long things are, and that nothing lacks its page."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from xinpaint.accessors import Inpaint
from xinpaint.io.weights import NEURAL
from xinpaint.methods.table import METHODS

ROOT = Path(__file__).parent.parent
FILES = sorted(
    path for room in ("xinpaint", "benchmarks", "examples") for path in (ROOT / room).rglob("*.py")
)
PACKAGE = [path for path in FILES if path.is_relative_to(ROOT / "xinpaint")]
HEAVY = ("torch", "rasterio", "rioxarray", "cv2", "ee", "skimage", "matplotlib", "odc", "stackstac")
EXTRAS = (
    "ee",
    "hvplot",
    "icechunk",
    "odc",
    "pystac_client",
    "pytorch_msssim",
    "stackstac",
    "tensorboard",
    "xee",
)
MAX_FILE, MAX_FUNCTION, MAX_PARAMETERS = 300, 45, 8
#: Choices of a user: which net, which dates, which draws, where it runs, which pixels.
MAX_OF = {"accessors_neural.py": 12}

each_file = pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
each_module = pytest.mark.parametrize("path", PACKAGE, ids=lambda p: str(p.relative_to(ROOT)))
each_method = pytest.mark.parametrize("name", [*METHODS, *NEURAL])

Function = ast.FunctionDef | ast.AsyncFunctionDef


def run(code: str) -> str:
    """Run code in a fresh interpreter; its output."""
    made = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    return made.stdout.strip()


def functions(path: Path) -> Iterator[Function]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, Function):
            yield node


def public(path: Path) -> Iterator[Function | ast.ClassDef]:
    """Functions, classes and methods whose name, and whose class's name, has no underscore."""
    nodes: list[ast.AST] = [ast.parse(path.read_text())]
    for node in nodes:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, Function | ast.ClassDef) and not child.name.startswith("_"):
                yield child
                if isinstance(child, ast.ClassDef):
                    nodes.append(child)


def lines_of_code(function: Function) -> int:
    """Lines from ``def`` to the end, the docstring aside."""
    first = function.body[0]
    docstring = 0
    if ast.get_docstring(function, clean=False) is not None:
        docstring = (first.end_lineno or 0) - first.lineno + 1
    return (function.end_lineno or 0) - function.lineno + 1 - docstring


def imports(path: Path) -> set[str]:
    """Top-level names of every package a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.split(".")[0])
    return found


def test_import_loads_nothing_heavy() -> None:
    found = run(f"import sys, xinpaint; print([n for n in {HEAVY} if n in sys.modules])")
    assert found == "[]"


@pytest.mark.parametrize("name", ["Inpaint", "Water"])
def test_import_registers_the_accessor(name: str) -> None:
    code = f"import xarray, xinpaint; print(type(xarray.Dataset().{name.lower()}).__name__)"
    assert run(code) == name


def test_import_costs_little_more_than_xarray() -> None:
    code = (  # processor time: a busy machine is no reason to fail
        "import time, xarray; start = time.process_time(); "
        "import xinpaint; print(time.process_time() - start)"
    )
    best = min(float(run(code)) for _ in range(5))
    assert best <= 0.3, f"import xinpaint takes {best:.2f} s after import xarray"


@pytest.mark.parametrize("name", ["masks", "metrics", "tutorial"])
def test_rooms_open_when_asked_for(name: str) -> None:
    assert run(f"import xinpaint; print(xinpaint.{name}.__name__)").endswith(f".{name}")


@each_file
def test_files_are_short(path: Path) -> None:
    lines = len(path.read_text().splitlines())
    assert lines <= MAX_FILE


@each_file
def test_functions_are_short(path: Path) -> None:
    long = {f.name: n for f in functions(path) if (n := lines_of_code(f)) > MAX_FUNCTION}
    assert not long


@each_module
def test_parameters_are_few(path: Path) -> None:
    def count(f: Function) -> int:
        names = [a.arg for a in (*f.args.posonlyargs, *f.args.args, *f.args.kwonlyargs)]
        return len([n for n in names if n not in {"self", "cls"}])

    most = MAX_OF.get(path.name, MAX_PARAMETERS)
    assert not {f.name: n for f in functions(path) if (n := count(f)) > most}


@each_module
def test_public_names_have_docstrings(path: Path) -> None:
    assert not [node.name for node in public(path) if not ast.get_docstring(node)]


@pytest.mark.parametrize("library", EXTRAS)
def test_an_optional_library_lives_in_one_file(library: str) -> None:
    users = [str(path.relative_to(ROOT)) for path in PACKAGE if library in imports(path)]
    assert len(users) <= 1, users


@each_method
def test_a_method_has_a_page(name: str) -> None:
    page = ROOT / "docs" / "methods" / f"{name}.md"
    assert page.is_file(), f"write {page.relative_to(ROOT)}"
    assert f"ds.inpaint.{name}(" in page.read_text()
    assert f"methods/{name}" in (ROOT / "docs" / "index.md").read_text()


@each_method
def test_a_method_has_an_accessor_method_with_keywords_only(name: str) -> None:
    method = getattr(Inpaint, name, None)
    assert method is not None, f"add {name} to xinpaint/accessors.py"
    parameters = list(inspect.signature(method).parameters.values())[1:]
    assert all(p.kind is inspect.Parameter.KEYWORD_ONLY for p in parameters)
    assert {"observed", "where"} <= {p.name for p in parameters}
