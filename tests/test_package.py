"""What is shipped: a wheel and an sdist that are whole and small, and work once installed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
MOST = 40e6  # bytes


def names(lines: list[str]) -> dict[str, str]:
    """Requirement lines as name -> lowest version, where one is told."""
    told = {}
    for line in lines:
        found = re.match(r"([\w.-]+)(?:\[[^\]]*\])?(?:(?:>=|==)([\w.]+))?", line)
        assert found, line
        told[found[1].lower()] = found[2] or ""
    return told


def test_the_lowest_versions_are_those_that_pyproject_promises() -> None:
    lines = (ROOT / "constraints-min.txt").read_text().splitlines()
    lowest = names([line for line in lines if line and not line.startswith("#")])
    wanted = names(PROJECT["dependencies"])
    assert set(lowest) == set(wanted)
    wrong = {name for name, low in wanted.items() if not lowest[name].startswith(low)}
    assert not wrong


def test_the_weights_say_their_licence() -> None:
    import json

    cards = sorted((ROOT / "xinpaint/weights").glob("*.json"))
    assert cards
    for card in cards:
        assert json.loads(card.read_text())["licence"].startswith("BSD-3-Clause"), card.name


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the sdist."""
    pytest.importorskip("hatchling")
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return folder


@pytest.mark.slow
def test_the_wheel_holds_the_weights_and_is_small(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    (sdist,) = built.glob("*.tar.gz")
    assert wheel.stat().st_size < MOST
    assert sdist.stat().st_size < MOST
    inside = set(zipfile.ZipFile(wheel).namelist())
    here = {
        str(path.relative_to(ROOT))
        for folder in ("weights", "recipes")
        for path in (ROOT / "xinpaint" / folder).iterdir()
        if path.is_file()
    }
    assert here and not here - inside
    assert "xinpaint/py.typed" in inside
    assert not [name for name in inside if name.startswith(("tests/", "conftest"))]
    with tarfile.open(sdist) as packed:
        assert any(name.endswith("/LICENSE") for name in packed.getnames())


@pytest.mark.slow
def test_the_wheel_works_where_it_is_installed(built: Path, tmp_path: Path) -> None:
    """In an environment of its own, which borrows this one's libraries but not its xinpaint."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "env"], check=True)
    place = {"base": str(tmp_path / "env"), "platbase": str(tmp_path / "env")}
    site = Path(sysconfig.get_path("purelib", vars=place))
    (site / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    python = tmp_path / "env" / "bin" / "python"
    if not python.exists():
        python = tmp_path / "env" / "Scripts" / "python.exe"
    (wheel,) = built.glob("*.whl")
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--no-deps"]
    subprocess.run([*pip, "--no-index", "-q", str(wheel)], check=True)
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    code = "from xinpaint.cli import main; raise SystemExit(main(['doctor']))"
    made = subprocess.run(
        [str(python), "-c", code],
        cwd=tmp_path,
        env=clean,
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stdout + made.stderr
    assert f"in {site / 'xinpaint'}" in made.stdout
    assert "fill, convnp" in made.stdout
