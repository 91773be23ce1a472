"""``xinpaint doctor``: it finds what is broken, says how to mend it, and exits accordingly."""

import re
import shutil
from importlib import metadata

import pytest

from xinpaint.cli import main
from xinpaint.io import doctor, weights


@pytest.fixture(scope="module")
def checks():
    return {check.what: check for check in doctor.examine()}


def test_a_sound_installation(checks):
    assert [c.what for c in checks.values() if c.needed and not c.ok] == []
    assert checks["numpy"].found == metadata.version("numpy")
    assert "cpu" in checks["devices"].found
    assert checks["driver GTiff"].ok
    told = weights.card(weights.SHIPPED / "convnp.safetensors")
    assert told["sha256"][:12] in checks["weights convnp"].found
    assert "filled" in checks["fill, convnp"].found


def test_what_is_missing_and_the_command_that_adds_it(monkeypatch, capsys):
    real = metadata.version

    def version(name):
        if name in {"pystac-client", "scipy"}:
            raise metadata.PackageNotFoundError(name)
        return "0.1" if name == "dask" else real(name)

    monkeypatch.setattr(metadata, "version", version)
    assert main(["doctor", "--no-fill"]) == 1
    said = capsys.readouterr().out
    assert "pip install 'xinpaint[stac]'" in said
    assert re.search(r"pip install 'scipy>=\d+\.\d+'", said)
    assert "0.1, wanted >=2024.8" in said
    assert "to mend: dask, scipy" in said


def test_a_missing_extra_is_no_failure(monkeypatch, capsys):
    real = metadata.version

    def version(name):
        if name == "earthengine-api":
            raise metadata.PackageNotFoundError(name)
        return real(name)

    monkeypatch.setattr(metadata, "version", version)
    assert main(["doctor", "--no-fill"]) == 0
    assert "without: extra ee" in capsys.readouterr().out


def test_damaged_weights(tmp_path, monkeypatch, capsys):
    for path in weights.SHIPPED.glob("*"):
        shutil.copy(path, tmp_path)
    broken = tmp_path / "convnp.safetensors"
    broken.write_bytes(broken.read_bytes()[:-1] + b"x")
    monkeypatch.setattr(weights, "SHIPPED", tmp_path)
    assert main(["doctor", "--no-fill"]) == 1
    said = capsys.readouterr().out
    assert "weights convnp" in said.split("to mend:")[1]
    assert "is damaged" in said


def test_a_fill_that_changes_observed_pixels_is_caught(monkeypatch):
    from xinpaint.cube import inpaint

    real = inpaint.inpaint

    def wrong(*args, **kwargs):
        made = real(*args, **kwargs)
        return made.assign(red=made.red + 1)

    monkeypatch.setattr(inpaint, "inpaint", wrong)
    check = doctor._fill("telea", std=False)
    assert not check.ok
    assert "observed pixels changed" in check.found


def test_a_check_that_falls_over_is_told_and_the_others_go_on(monkeypatch):
    def fall():
        raise OSError("no such\nlibrary")

    monkeypatch.setattr(doctor, "_gdal", fall)
    checks = doctor.examine(fill=False)
    (fallen,) = [c for c in checks if not c.ok and c.needed]
    assert fallen.found == "OSError: no such library"
    assert any(c.what.startswith("weights") for c in checks)
