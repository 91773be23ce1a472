"""The pages: links lead somewhere, each says what it is for, and *Extend* does what it says."""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import rasterio
import rioxarray  # noqa: F401 - registers .rio

import xinpaint
from xinpaint import cli

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
#: Made when the documentation is built, from these.
MADE = {"commands.md": "xinpaint/cli.py", "changelog.md": "CHANGELOG.md"}
PAGES = sorted(p for p in DOCS.rglob("*.md") if not {"_build", "generated"} & set(p.parts))
OTHERS = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
NOTEBOOKS = sorted((ROOT / "examples").glob("*.ipynb"))
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
PROMISE = re.compile(r"After this page you (can|know)")

#: Their makers write them anew: the sentence comes with their next version.
LATER: set[str] = set()

each_page = pytest.mark.parametrize(
    "path",
    [page for page in PAGES if page.name not in LATER],
    ids=lambda p: str(p.relative_to(DOCS)),
)


def text_of(path: Path) -> str:
    if path.suffix != ".ipynb":
        return path.read_text()
    return "\n\n".join("".join(cell["source"]) for cell in json.loads(path.read_text())["cells"])


def anchors(path: Path) -> set[str]:
    """Names that headings of a page are linked by."""
    titles = re.findall(r"^#+ (.+)$", text_of(path), flags=re.M)
    plain = [re.sub(r"[`*]|\[([^\]]*)\]\([^)]*\)", r"\1", title) for title in titles]
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in plain}


def target(path: Path, link: str) -> Path:
    """The file that a link of a page means, sources standing for what is made of them."""
    place = path.parent / link if link else path
    if place.parent.name != "generated":
        return place
    return ROOT / MADE.get(place.name, f"examples/{place.name}")


@pytest.mark.parametrize(
    "path", [*PAGES, *OTHERS, *NOTEBOOKS], ids=lambda p: str(p.relative_to(ROOT))
)
def test_links_lead_somewhere(path: Path) -> None:
    broken = []
    for link in LINK.findall(re.sub(r"```.*?```", "", text_of(path), flags=re.S)):
        if link.startswith(("http://", "https://", "mailto:")):
            continue
        name, _, anchor = link.partition("#")
        place = target(path, name)
        if not place.exists() or (anchor and anchor not in anchors(place)):
            broken.append(link)
    assert not broken


@each_page
def test_a_page_opens_with_what_its_reader_can_do_after_it(path: Path) -> None:
    body = re.sub(r"\A---\n.*?\n---\n", "", path.read_text(), flags=re.S)
    assert PROMISE.search(body[:900]), "say first what the reader can do after this page"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_a_notebook_is_in_the_contents(path: Path) -> None:
    assert f"generated/{path.stem}\n" in (DOCS / "index.md").read_text()


@pytest.mark.parametrize("path", [*PAGES, *NOTEBOOKS], ids=lambda p: p.stem)
def test_formulas_are_plain_text(path: Path) -> None:
    """TeX between dollars is drawn by a script from the web, and on a code host by nobody."""
    text = re.sub(r"```.*?```|`[^`]*`|\\\$", "", text_of(path), flags=re.S)
    assert not re.search(r"\$[^$\n]+\$", text)


def test_the_commands_are_listed() -> None:
    """A page on a code host includes nothing: this table is all that its reader has."""
    parser = cli._parser()
    chosen = next(a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
    told = {action.dest: str(action.help) for action in chosen._choices_actions}
    page = (DOCS / "cli.md").read_text()
    assert set(told) == set(chosen.choices)
    missing = [
        row for row in (f"| `xinpaint {k}` | {v} |" for k, v in told.items()) if row not in page
    ]
    assert not missing, "put these rows into docs/cli.md"


def test_an_image_and_back_as_the_page_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    small = xinpaint.tutorial.open_cube(dates=1, size=48).isel(time=0, drop=True)
    small[["blue", "green", "red"]].rio.to_raster("scene.tif")
    (code,) = [block for block in blocks("sources-files.md") if "to_raster" in block]
    exec(code, {})
    with rasterio.open("scene.tif") as old, rasterio.open("filled.tif") as new:
        before, after = old.read([3, 2, 1]), new.read()
        assert (new.crs, new.transform, new.nodata) == (old.crs, old.transform, old.nodata)
    seen = before != 0
    np.testing.assert_array_equal(after[seen], before[seen])
    assert (after != 0).sum() > seen.sum()
    with rasterio.open("filled_std.tif") as std:
        assert std.count == 3 and (std.read()[before == 0] > 0).any()


def test_the_readme_shows_the_results_that_were_measured() -> None:
    from benchmarks import readme

    made = readme.table((DOCS / "results-time.md").read_text())
    said = (ROOT / "README.md").read_text()
    assert readme.written(said, made) == said, "run python -m benchmarks.readme"


def test_the_code_of_the_readme_runs_as_pasted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    small = xinpaint.tutorial.open_cube(dates=2, size=48)
    monkeypatch.setattr(xinpaint.tutorial, "open_cube", lambda: small)
    code = re.findall(r"^```python\n(.*?)^```", (ROOT / "README.md").read_text(), re.S | re.M)
    exec(code[0], {})
    assert "red_std" in capsys.readouterr().out
    assert (tmp_path / "filled.png").stat().st_size > 1000


def blocks(name: str) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", (DOCS / name).read_text(), flags=re.S | re.M)


def test_extend_a_filler_without_touching_the_package() -> None:
    ds = xinpaint.tutorial.open_cube(dates=1, size=48)
    told: dict[str, object] = {"ds": ds}
    define, use = blocks("extend.md")[:2]
    exec(define, told)
    exec(use.replace("ds.inpaint.score", "table = ds.inpaint.score"), told)
    filled, table = told["filled"], told["table"]
    gap = ds.red.values == 0
    done = filled.red_provenance.values == 2
    assert done.any()
    assert set(filled.red.values[done]) == {round(float(ds.red.values[~gap].mean()))}
    np.testing.assert_array_equal(filled.red.values[~gap], ds.red.values[~gap])
    assert filled.attrs["xinpaint_method"] == "mean_of_context"
    assert table["method"].values.tolist() == ["mine"]
    assert np.isfinite(table.psnr).all()


ACCESSOR = '''
    def plane_mean(self, *, observed: Mask = None, where: Mask = None) -> xr.Dataset:
        """Fill with the mean of the plane.

        Examples
        --------
        >>> filled = ds.inpaint.plane_mean()  # doctest: +SKIP
        """
        return fill(self._obj, "plane_mean", {}, observed, where)
'''


def copy_of_the_project(folder: Path) -> Path:
    for name in ("xinpaint", "tests", "docs", "benchmarks", "examples"):
        ignore = shutil.ignore_patterns("__pycache__", "_build", "generated", "images")
        shutil.copytree(ROOT / name, folder / name, ignore=ignore)
    for name in ("pyproject.toml", "conftest.py", "README.md", "CHANGELOG.md"):
        shutil.copy(ROOT / name, folder / name)
    return folder


def run_tests(folder: Path, *which: str) -> subprocess.CompletedProcess[str]:
    """Pytest over a copy of the project, which is not the one that is installed."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *which]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_extend_a_method_of_the_package(tmp_path: Path) -> None:
    """The four steps of the page; each is missed where it is left out."""
    folder = copy_of_the_project(tmp_path)
    code = blocks("extend.md")[0].replace("MeanOfContext", "PlaneMean")
    (folder / "xinpaint/methods/plane_mean.py").write_text(f'"""Mean of the plane."""\n\n{code}')
    table = folder / "xinpaint/methods/table.py"
    made = (
        "def _plane_mean(**options: Any) -> Filler:\n"
        "    from xinpaint.methods.plane_mean import PlaneMean\n\n"
        "    return PlaneMean(**options)\n\n\n"
    )
    head, found, tail = table.read_text().partition("METHODS: ")
    assert found
    tail = tail.replace("{\n", '{\n    "plane_mean": _plane_mean,\n', 1)
    table.write_text(f"{head}{made}{found}{tail}")

    house = run_tests(folder, "tests/test_house.py", "-k", "plane_mean")
    assert "2 failed" in house.stdout, house.stdout  # neither accessor nor page
    accessors = folder / "xinpaint/accessors.py"
    accessors.write_text(accessors.read_text().rstrip() + "\n" + ACCESSOR)
    page = folder / "docs/methods/plane_mean.md"
    page.write_text("# plane_mean\n\nAfter this page you can fill.\n\n`ds.inpaint.plane_mean()`\n")
    index = folder / "docs/index.md"
    index.write_text(
        index.read_text().replace("methods/telea\n", "methods/telea\nmethods/plane_mean\n")
    )
    house = run_tests(folder, "tests/test_house.py", "-k", "plane_mean")
    assert "2 passed" in house.stdout, house.stdout
    contract = run_tests(folder, "tests/methods/test_contract.py", "-k", "plane_mean")
    assert contract.returncode == 0, contract.stdout[-3000:]
    assert re.search(r"(\d+) passed", contract.stdout)
