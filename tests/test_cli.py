import numpy as np
import pytest
import rioxarray  # noqa: F401
import xarray as xr

from tests.nets.small import write
from xinpaint import __version__
from xinpaint.cli import main
from xinpaint.io.tutorial import open_cube
from xinpaint.io.weights import NEURAL, sha256

pytestmark = [
    pytest.mark.filterwarnings("ignore:Consolidated metadata"),
    pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning"),  # in rioxarray
]


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    path = tmp_path_factory.mktemp("cli") / "cube.zarr"
    cube = open_cube(dates=2, size=64, chunks={"time": 1, "y": 32, "x": 32})
    cube.to_zarr(path, consolidated=True)
    return path


def test_version(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["--version"])
    assert stop.value.code == 0
    assert __version__ in capsys.readouterr().out


def test_methods(capsys):
    assert main(["methods"]) == 0
    said = capsys.readouterr().out
    assert all(name in said for name in ("convnp", "unet", "partialconv", "telea", "linear_time"))


def test_fill(store, tmp_path):
    dst = tmp_path / "deep" / "filled.zarr"
    assert main(["fill", str(store), str(dst), "--method", "telea"]) == 0
    before = xr.open_zarr(store, decode_coords="all").load()
    after = xr.open_zarr(dst, decode_coords="all").load()
    seen = before.red.values != 0
    np.testing.assert_array_equal(after.red.values[seen], before.red.values[seen])
    assert (after.red_provenance.values == 2).any()
    assert after.rio.crs == before.rio.crs
    assert [p.name for p in dst.parent.iterdir()] == ["filled.zarr"]


def test_fill_with_options(store, tmp_path, capsys):
    filled = {}
    for side in (1, 5):
        dst = tmp_path / f"{side}.zarr"
        words = ["fill", str(store), str(dst), "--method", "telea", "--option", f"radius={side}"]
        assert main(words) == 0
        assert main(words) == 0  # the same command goes on
        filled[side] = xr.open_zarr(dst, decode_coords="all").load()
    assert (filled[1].red != filled[5].red).any()
    capsys.readouterr()
    refused = {
        "radius": "wanted NAME=VALUE",
        "=3": "wanted NAME=VALUE",
        "radios=3": "Did you mean 'radius'",
        "radius=wide": "'wide'",
        "radius=null": "None",
    }
    for option, told in refused.items():
        dst = tmp_path / "refused.zarr"
        assert main(["fill", str(store), str(dst), "--method", "telea", "--option", option]) == 2
        assert told in capsys.readouterr().err
        assert not dst.exists()


@pytest.mark.parametrize("net", ["unet", "ongrid"])
def test_fill_with_weights_of_a_rival_and_of_a_model(store, tmp_path, net):
    dst, weights = tmp_path / "filled.zarr", write(tmp_path, net)
    method = net if net in NEURAL else "convnp"
    words = ["fill", str(store), str(dst), "--method", method, "--weights", str(weights)]
    assert main([*words, "--device", "cpu"]) == 0
    after = xr.open_zarr(dst, decode_coords="all")
    assert after.attrs["xinpaint_method"] == method
    assert after.attrs["xinpaint_weights_sha256"] == sha256(weights)
    assert (after.red_provenance == 2).any()


def test_fill_geotiff(tmp_path):
    cube = open_cube(dates=1, size=64).isel(time=0, drop=True).drop_attrs(deep=False)
    bands = cube[["red", "nir"]].to_dataarray("band").rio.write_crs(32636)
    bands = bands.assign_attrs(long_name=("red", "nir")).rio.write_nodata(0)
    bands.rio.to_raster(tmp_path / "scene.tif")
    dst = tmp_path / "filled.zarr"
    assert main(["fill", str(tmp_path / "scene.tif"), str(dst), "--method", "telea"]) == 0
    after = xr.open_zarr(dst, decode_coords="all", mask_and_scale=False)
    assert {"red", "nir", "red_provenance", "nir_provenance"} <= set(after)
    assert (after.red_provenance == 2).any()
    assert after.rio.crs.to_epsg() == 32636


def test_score(store, capsys):
    assert main(["score", str(store), "--methods", "telea", "fillnodata"]) == 0
    said = capsys.readouterr().out
    assert all(word in said for word in ("psnr", "telea", "fillnodata", "scan_lines"))


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (["fill", "STORE", "STORE"], "choose another path, outside of"),
        (["fill", "nowhere.zarr", "out.zarr", "--method", "telea"], "nowhere.zarr is not there"),
        (["fill", "STORE", "out.zarr", "--method", "magic"], "unknown method 'magic'"),
        (["fill", "STORE", "out.zarr", "--method", "telea", "--device", "cpu"], "device"),
        (["fill", __file__, "out.zarr", "--method", "telea"], "neither as Zarr nor as GeoTIFF"),
        (["score", "STORE", "--methods", "magic"], "unknown method 'magic'"),
        (["train", "nowhere.toml"], "nowhere.toml"),
    ],
)
def test_errors_are_one_line(command, told, store, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main([str(store) if word == "STORE" else word for word in command]) == 2
    said = capsys.readouterr().err
    assert told in said
    assert said.startswith("xinpaint: error: ")
    assert said.count("\n") == 1
    assert not list(tmp_path.glob("*out*"))


def test_a_failed_write_leaves_nothing(store, tmp_path, monkeypatch):
    def stop(*_, **__):
        raise RuntimeError("disk full")

    monkeypatch.setattr(xr.Dataset, "to_zarr", stop)
    with pytest.raises(RuntimeError):
        main(["fill", str(store), str(tmp_path / "out.zarr"), "--method", "telea"])
    assert not list(tmp_path.iterdir())


def test_fill_again_status_and_verify(store, tmp_path, capsys):
    dst = tmp_path / "filled.zarr"
    command = ["fill", str(store), str(dst), "--method", "fillnodata", "--block", "2", "64", "64"]
    assert main(command) == 0
    assert main(command) == 0
    assert main(["status", str(dst)]) == 0
    assert "1 block: 1 filled" in capsys.readouterr().out
    assert main([*command, "--method", "tela"]) == 2  # before it complains of the store
    assert "Did you mean 'telea'?" in capsys.readouterr().err
    assert main([*command, "--block", "1", "2", "3", "4"]) == 2
    assert "found a block of (1, 2, 3, 4) pixels; wanted" in capsys.readouterr().err
    assert main([*command[:-3], "1", "64", "64"]) == 2
    assert "block: [2, 64, 64] there, [1, 64, 64] now" in capsys.readouterr().err
    chunk = dst / "red" / "c" / "0" / "1" / "1"
    good = chunk.read_bytes()
    chunk.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    assert main(["verify", str(dst)]) == 0
    assert main(["verify", str(dst), "--deep"]) == 1
    assert "corrupted: 0/0/0" in capsys.readouterr().out
    assert main(["verify", str(dst), "--deep", "--repair"]) == 0
    assert chunk.read_bytes() == good
    assert main(["status", str(store)]) == 2
    assert "no output of a fill job" in capsys.readouterr().err


def test_append(tmp_path, capsys):
    cube, longer = str(tmp_path / "cube.zarr"), str(tmp_path / "longer.zarr")
    three = open_cube(dates=3, size=64, chunks={"time": 1, "y": 32, "x": 32})
    three.to_zarr(longer, consolidated=True)
    three.isel(time=slice(0, 2)).to_zarr(cube, consolidated=True)
    dst = str(tmp_path / "filled.zarr")
    assert main(["fill", cube, dst, "--method", "telea", "--dry-run"]) == 0
    assert "before compression" in capsys.readouterr().out
    assert not (tmp_path / "filled.zarr").exists()
    assert main(["fill", cube, dst, "--method", "telea"]) == 0
    assert main(["fill", longer, dst, "--method", "telea"]) == 2
    assert "use append (xinpaint append SRC DST)" in capsys.readouterr().err
    assert main(["append", longer, dst]) == 0
    assert "1 block in" in capsys.readouterr().out
    assert xr.open_zarr(dst, chunks={}).sizes["time"] == 3
    assert main(["verify", dst, "--deep"]) == 0
