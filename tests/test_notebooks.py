"""The notebooks run from top to bottom, show no warning, and are kept without their outputs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

nb_run = pytest.importorskip("nbmake.nb_run")

FOLDER = Path(__file__).parent.parent / "examples"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
#: Those that take more than a few seconds of processor time.
LONG = {"slc_off_stack", "train", "uncertainty"}

each = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
each_to_run = pytest.mark.parametrize(
    "path",
    [pytest.param(p, marks=[pytest.mark.slow] * (p.stem in LONG), id=p.stem) for p in NOTEBOOKS],
)

# The kernel's own set-up, which no reader sees.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@each_to_run
def test_runs_and_shows_no_warning(path: Path) -> None:
    made = nb_run.NotebookRun(path, 900).execute()
    assert made.error is None, made.error and f"{made.error.summary}\n{made.error.trace}"
    shown = [out for cell in made.nb.cells for out in cell.get("outputs", [])]
    assert shown
    said = [out["text"] for out in shown if out.output_type == "stream" and out.name == "stderr"]
    assert not said


@each
def test_is_kept_without_outputs(path: Path) -> None:
    for cell in json.loads(path.read_text())["cells"]:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None


@each
def test_opens_with_what_the_reader_can_do_after_it(path: Path) -> None:
    first = json.loads(path.read_text())["cells"][0]
    assert first["cell_type"] == "markdown"
    assert "After this page you can" in "".join(first["source"])
