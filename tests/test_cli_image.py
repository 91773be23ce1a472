"""``xinpaint fill`` of a GeoTIFF: a GeoTIFF comes back, laid out as it was."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from rasterio.control import GroundControlPoint
from rasterio.crs import CRS
from rasterio.rpc import RPC
from rasterio.transform import from_origin

from xinpaint.cli import main

SIDE = 80


def scene(path: Path, *, nodata: float | None = 0, **profile: Any) -> np.ndarray:
    """A GeoTIFF of two bands with a stripe of missing pixels; what it holds ``[b y x]``."""
    rng = np.random.default_rng(0)
    values = rng.integers(1, 9000, (2, SIDE, SIDE)).astype(profile.get("dtype", "uint16"))
    values[:, 30:34] = 0
    told = {"driver": "GTiff", "height": SIDE, "width": SIDE, "count": 2, "dtype": "uint16"}
    told |= {"crs": 32636, "transform": from_origin(5e5, 2e6, 30, 30), "nodata": nodata}
    with rasterio.open(path, "w", **told | profile) as file:
        file.write(values)
        file.descriptions = ("red", "nir")
        file.update_tags(mission="seven")
        file.update_tags(2, wavelength="0.8")
        file.scales, file.offsets = (2e-5, 2e-5), (-0.2, -0.2)
    return values


def fill(tmp_path: Path, *words: str, src: str = "scene.tif", dst: str = "out.tif") -> int:
    command = ["fill", str(tmp_path / src), str(tmp_path / dst), "--method", "fillnodata"]
    return main([*command, *words])


def test_a_geotiff_comes_back_as_it_was_laid_out(tmp_path: Path) -> None:
    layout = {"tiled": True, "blockxsize": 32, "blockysize": 32, "compress": "lzw"}
    before = scene(tmp_path / "scene.tif", **layout)
    assert fill(tmp_path) == 0
    with (
        rasterio.open(tmp_path / "scene.tif") as old,
        rasterio.open(tmp_path / "out.tif") as new,
        rasterio.open(tmp_path / "out_provenance.tif") as code,
    ):
        assert new.profile == old.profile
        assert new.descriptions == ("red", "nir")
        assert (new.scales, new.offsets) == (old.scales, old.offsets)
        assert new.tags()["mission"] == "seven" and new.tags(2)["wavelength"] == "0.8"
        assert new.tags()["xinpaint_method"] == "fillnodata"
        assert "ancillary_variables" not in new.tags(1)
        after, told = new.read(), code.read()
        assert code.descriptions == ("red_provenance", "nir_provenance")
        assert (code.crs, code.transform, code.dtypes[0]) == (old.crs, old.transform, "uint8")
    seen = before != 0
    np.testing.assert_array_equal(after[seen], before[seen])
    assert (after != 0).all()
    np.testing.assert_array_equal(told, np.where(seen, 1, 2))
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "out.tif",
        "out_provenance.tif",
        "scene.tif",
    ]


def test_the_answer_is_that_of_the_accessor_and_std_lies_beside(tmp_path: Path) -> None:
    import rioxarray

    scene(tmp_path / "scene.tif")
    assert fill(tmp_path, "--method", "convnp", "--device", "cpu", dst="deep/OUT.TIF") == 0
    opened = rioxarray.open_rasterio(tmp_path / "scene.tif", band_as_variable=True)
    wanted = opened.inpaint.convnp(device="cpu")
    with rasterio.open(tmp_path / "deep" / "OUT.TIF") as made:
        np.testing.assert_array_equal(made.read(1), wanted.band_1.values)
    with rasterio.open(tmp_path / "deep" / "OUT_std.TIF") as made:
        assert made.dtypes == ("float32", "float32") and np.isnan(made.nodata)
        np.testing.assert_allclose(made.read(1), wanted.band_1_std.values, rtol=1e-5)


def test_a_compression_that_changes_pixels_is_not_kept(tmp_path: Path) -> None:
    jpeg = {"dtype": "uint8", "compress": "jpeg", "tiled": True, "blockxsize": 16, "blockysize": 16}
    scene(tmp_path / "scene.tif", **jpeg)
    assert fill(tmp_path) == 0
    with rasterio.open(tmp_path / "scene.tif") as old, rasterio.open(tmp_path / "out.tif") as new:
        assert new.profile["compress"] == "deflate"
        before = old.read()
        np.testing.assert_array_equal(new.read()[before != 0], before[before != 0])


def test_nodata_of_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scene(tmp_path / "scene.tif", nodata=None)
    assert fill(tmp_path) == 2
    said = capsys.readouterr().err
    assert "'red' holds integers (uint16: 0 to 65535)" in said and "--nodata VALUE" in said
    assert fill(tmp_path, "--nodata", "-9999") == 2
    assert "its _FillValue = -9999.0 is none of these" in capsys.readouterr().err
    assert fill(tmp_path, "--nodata", "0") == 0
    with rasterio.open(tmp_path / "out.tif") as made:
        assert made.nodata == 0 and (made.read() != 0).all()
    assert fill(tmp_path, "--nodata", "7", src="out.tif", dst="again.tif") == 2
    said = capsys.readouterr().err
    assert "says itself that nodata is 0, --nodata says 7: leave --nodata out" in said


@pytest.mark.parametrize(("dtype", "nodata"), [("uint16", 0), ("float32", np.nan), ("float32", -1)])
def test_nodata_said_twice(tmp_path: Path, dtype: str, nodata: float) -> None:
    scene(tmp_path / "scene.tif", nodata=nodata, dtype=dtype)
    assert fill(tmp_path, "--nodata", str(nodata)) == 0
    with rasterio.open(tmp_path / "out.tif") as made:
        np.testing.assert_equal(made.nodata, nodata)


def test_a_mask_says_what_was_observed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = scene(tmp_path / "scene.tif", nodata=None)
    before[:, 30:34], before[:, :, :70] = 7, 5  # values like others where nothing was observed
    seen = np.ones((SIDE, SIDE), bool)
    seen[30:34] = seen[:, :70] = False
    with (
        rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True),
        rasterio.open(tmp_path / "scene.tif", "r+") as file,
    ):
        file.write(before)
        file.write_mask(seen)
    assert fill(tmp_path, "--method", "convnp", "--device", "cpu") == 0
    assert f"the mask of {tmp_path / 'scene.tif'} says what" in capsys.readouterr().err
    with (
        rasterio.open(tmp_path / "out.tif") as new,
        rasterio.open(tmp_path / "out_provenance.tif") as code,
    ):
        after, told, known = new.read(), code.read(), new.dataset_mask() > 0
    np.testing.assert_array_equal(told == 1, np.broadcast_to(seen, told.shape))
    assert (told[:, 30:34, 75] == 2).all() and (told[:, 5, 5] == 0).all()
    np.testing.assert_array_equal(after[:, seen], before[:, seen])
    np.testing.assert_array_equal(known, (told == 1).all(0) | (told == 2).all(0))
    assert not known.all()
    assert not list(tmp_path.glob("*.msk"))


def test_an_alpha_band_is_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(0)
    values = rng.integers(1, 255, (4, SIDE, SIDE)).astype("uint8")
    values[3] = 255
    values[3, 30:34] = 0
    told = {"driver": "GTiff", "height": SIDE, "width": SIDE, "count": 4, "dtype": "uint8"}
    told |= {"photometric": "RGB", "alpha": "YES", "transform": from_origin(5e5, 2e6, 30, 30)}
    with rasterio.open(tmp_path / "scene.tif", "w", **told) as file:
        file.write(values)
        file.descriptions = ("red", "green", "blue", "alpha")
    assert fill(tmp_path) == 0
    assert "band 4 of" in capsys.readouterr().err
    with (
        rasterio.open(tmp_path / "out.tif") as new,
        rasterio.open(tmp_path / "out_provenance.tif") as code,
    ):
        assert new.descriptions == ("red", "green", "blue")
        assert [kind.name for kind in new.colorinterp] == ["red", "green", "blue"]
        seen = values[3] > 0
        np.testing.assert_array_equal(code.read(), np.where(seen, [[[1]]] * 3, 2))
        np.testing.assert_array_equal(new.read()[:, seen], values[:3, seen])


@pytest.mark.parametrize("by", ["points", "rpcs"])
def test_where_an_image_without_a_transform_lies_is_kept(tmp_path: Path, by: str) -> None:
    scene(tmp_path / "scene.tif", transform=None, crs=None)
    corners = ((0, 0), (SIDE, 0), (0, SIDE))
    points = [GroundControlPoint(r, c, 5e5 + 30 * c, 2e6 - 30 * r) for r, c in corners]
    line = [1.0] + [0.0] * 19
    told = dict(zip(("line_num_coeff", "line_den_coeff"), (line, line), strict=True))
    told |= {"samp_num_coeff": line, "samp_den_coeff": line, "err_bias": 0.5, "err_rand": 0.5}
    for name, (scale, offset) in {
        "height": (500, 10),
        "lat": (0.1, 45),
        "long": (0.1, 7),
        "line": (40, 40),
        "samp": (40, 40),
    }.items():
        told |= {f"{name}_scale": float(scale), f"{name}_off": float(offset)}
    with rasterio.open(tmp_path / "scene.tif", "r+") as file:
        if by == "points":
            file.gcps = (points, CRS.from_epsg(32636))
        else:
            file.rpcs = RPC(**told)
    assert fill(tmp_path) == 0
    for name in ("out", "out_provenance"):
        with (
            rasterio.open(tmp_path / "scene.tif") as old,
            rasterio.open(tmp_path / f"{name}.tif") as new,
        ):
            assert [p.asdict() | {"id": ""} for p in new.gcps[0]] == [
                p.asdict() | {"id": ""} for p in old.gcps[0]
            ]
            assert len(new.gcps[0]) == (3 if by == "points" else 0)
            assert (new.gcps[1], new.rpcs) == (old.gcps[1], old.rpcs)
            assert (new.rpcs is not None) == (by == "rpcs")


def test_zeros_that_nothing_calls_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scene(tmp_path / "scene.tif", nodata=None, dtype="float32")
    assert fill(tmp_path) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[1] == "0 values filled, 0 still missing"
    assert said[2] == (
        "nothing of 'red' is filled: it holds no NaN and says no nodata, but 5.0% of its pixels "
        "are exactly 0; if these are gaps, say --nodata 0"
    )
    assert fill(tmp_path, "--nodata", "0", dst="again.tif") == 0
    assert capsys.readouterr().out.splitlines()[1:] == ["640 values filled, 0 still missing"]


def test_a_band_of_which_nothing_was_observed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scene(tmp_path / "scene.tif")
    with rasterio.open(tmp_path / "scene.tif", "r+") as file:
        file.write(np.zeros((SIDE, SIDE), "uint16"), 2)
    assert fill(tmp_path) == 0
    assert "nothing of 'nir' was observed" in capsys.readouterr().out


def test_a_wrong_method_is_told_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scene(tmp_path / "scene.tif")
    (tmp_path / "out.tif").touch()
    assert fill(tmp_path, "--method", "tela") == 2
    assert "Did you mean 'telea'?" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--dry-run"], "--dry-run is for Zarr cubes"),
        (["--block", "64"], "--block is for Zarr cubes"),
        (["--workers", "2"], "--workers is for Zarr cubes"),
    ],
)
def test_options_of_cubes_are_refused(
    words: list[str], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scene(tmp_path / "scene.tif")
    assert fill(tmp_path, *words) == 2
    assert told in capsys.readouterr().err
    assert [p.name for p in tmp_path.iterdir()] == ["scene.tif"]


def test_where_it_may_go(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scene(tmp_path / "scene.tif")
    assert fill(tmp_path, dst="out.nc") == 2
    assert (
        "give a name that ends in .tif (GeoTIFF) or .zarr (Zarr store)" in capsys.readouterr().err
    )
    (tmp_path / "out_std.tif").touch()
    assert fill(tmp_path) == 2
    assert "out_std.tif exists" in capsys.readouterr().err


def test_a_cube_becomes_no_geotiff(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from xinpaint.io.tutorial import open_cube

    open_cube(dates=1, size=32).to_zarr(tmp_path / "cube.zarr", consolidated=False)
    assert fill(tmp_path, src="cube.zarr") == 2
    assert "xinpaint.open_filled(" in capsys.readouterr().err
    assert fill(tmp_path, "--nodata", "0", src="cube.zarr", dst="out.zarr") == 2
    assert "--nodata is for a GeoTIFF" in capsys.readouterr().err
    assert [p.name for p in tmp_path.iterdir()] == ["cube.zarr"]


def test_python_m_is_the_command() -> None:
    command = [sys.executable, "-m", "xinpaint", "--version"]
    made = subprocess.run(command, capture_output=True, text=True, check=True)
    assert made.stdout.startswith("xinpaint ")


def test_a_file_that_was_cut_short_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    values = scene(tmp_path / "scene.tif")
    with rasterio.open(tmp_path / "scene.tif") as file:
        profile = file.profile
    with rasterio.open(tmp_path / "scene.tif", "w", **profile) as file:  # its directory first
        file.write(values)
    whole = (tmp_path / "scene.tif").read_bytes()
    (tmp_path / "scene.tif").write_bytes(whole[: len(whole) // 2])
    before = sorted(tmp_path.iterdir())
    assert fill(tmp_path) == 2
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert said.startswith("xinpaint: error:")
    assert "scene.tif" in said and "copy the file again" in said
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.skipif(sys.platform == "win32", reason="SIGTERM")
@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_a_fill_that_is_ended_leaves_nothing(tmp_path: Path, sent: signal.Signals) -> None:
    scene(tmp_path / "scene.tif")
    code = (
        "import signal, sys, time; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "from xinpaint.methods.fillnodata import FillNodata as F; "
        "real = F.fill; F.fill = lambda *a: (print('at work', flush=True), time.sleep(3), "
        "real(*a))[-1]; from xinpaint.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    words = ["fill", tmp_path / "scene.tif", tmp_path / "out.tif", "--method", "fillnodata"]
    command = [sys.executable, "-c", code, *map(str, words)]
    out = subprocess.PIPE
    with subprocess.Popen(command, stdout=out, stderr=out, text=True) as driver:
        assert driver.stdout is not None
        while "at work" not in (line := driver.stdout.readline()):
            assert line or driver.poll() is None
        driver.send_signal(sent)
        _, said = driver.communicate(timeout=60)
    assert driver.returncode == (143 if sent == signal.SIGTERM else 130)
    assert "Traceback" not in said
    assert [path.name for path in tmp_path.iterdir()] == ["scene.tif"]
