"""The examples run; those on real data only where the data folder is."""

import os
import runpy
from pathlib import Path

import pytest

from xinpaint.io import weights

pytestmark = [
    pytest.mark.filterwarnings("ignore:Consolidated metadata"),
    pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning"),  # in rioxarray
]

EXAMPLES = Path(__file__).parent.parent / "examples"


def run(name: str):
    return runpy.run_path(str(EXAMPLES / f"{name}.py"))["main"]


def test_demo(tmp_path, capsys):
    run("demo")(tmp_path, size=64, methods=("telea", "navier_stokes"))
    said = capsys.readouterr().out
    assert "% missing" in said
    assert "PSNR" in said
    assert (tmp_path / "demo.png").stat().st_size > 10_000
    assert (tmp_path / "telea.zarr").is_dir()


@pytest.mark.skipif(not list(weights.SHIPPED.glob("*.safetensors")), reason="no weights shipped")
def test_demo_with_convnp(tmp_path, capsys):
    run("demo")(tmp_path, size=64, methods=("convnp",))
    assert "%" in capsys.readouterr().out.split("\nconvnp", 1)[1]


def test_earth_engine_without_an_account(capsys):
    pytest.importorskip("ee")
    pytest.importorskip("xee")
    run("open_earth_engine")()
    said = capsys.readouterr().out
    assert "(time: 4, " in said
    filled = float(said.split("\nfilled")[1].split("%")[0])
    assert filled > 10


@pytest.mark.parametrize(
    "name", ["fill_menindee", "fill_colombia", "fill_oakville", "water_menindee"]
)
def test_without_data(name, tmp_path, monkeypatch):
    monkeypatch.delenv("XINPAINT_DATA", raising=False)
    with pytest.raises(SystemExit, match="set XINPAINT_DATA"):
        run(name)(tmp_path, "telea")


@pytest.mark.skipif("XINPAINT_DATA" not in os.environ, reason="needs XINPAINT_DATA")
@pytest.mark.parametrize(
    ("name", "picture"),
    [
        pytest.param("fill_menindee", "menindee_2010-05-08.png", marks=pytest.mark.slow),
        ("fill_colombia", "colombia_true.png"),
        ("fill_oakville", "oakville_20030925.png"),
        pytest.param("water_menindee", "menindee_filled.png", marks=pytest.mark.slow),
    ],
)
def test_real_data(name, picture, tmp_path):
    run(name)(tmp_path, "telea")
    assert (tmp_path / picture).stat().st_size > 10_000
