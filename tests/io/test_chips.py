"""Chips from the stand-in server: whole and striped, on Landsat's grid, resumed, trainable."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio

ee = pytest.importorskip("ee")
pytest.importorskip("xee")
from google.auth.credentials import AnonymousCredentials  # noqa: E402

from tests.io import ee_stub  # noqa: E402
from xinpaint.cli import main  # noqa: E402
from xinpaint.train.data import read_images, read_masks, sample  # noqa: E402

pytestmark = pytest.mark.filterwarnings(
    "ignore:Use `@` matmul:PendingDeprecationWarning"  # in rasterio
)
DAYS = ["2001-03-04", "2002-03-04", "2003-05-31", "2004-01-10", "2005-01-10"]


@pytest.fixture
def server():
    with ee_stub.serving(ee_stub.images(DAYS)) as made:
        ee.Initialize(AnonymousCredentials(), url=made.url, project="test")
        yield made
    ee.Reset()


def test_chips(server, tmp_path, capsys):
    command = ["chips", str(tmp_path), "--box", "36", "-2", "38", "0", "--count", "3"]
    assert main(command) == 0
    assert "3 before, 3 after" in capsys.readouterr().out
    before = sorted((tmp_path / "before").glob("*.tif"))
    # the least cloud before the failure is the first day's; the day of the failure is neither
    assert {path.stem[-8:] for path in before} == {"20010304"}
    with rasterio.open(before[0]) as source:
        assert (source.count, source.height, source.width) == (3, 256, 256)
        assert source.descriptions == ("red", "green", "blue")
        assert (source.dtypes[0], source.nodata) == ("uint16", 0)
        t = source.transform
        assert (t.c % 30, t.f % 30) == (15, 15)
        column = round((t.c - 15) / 30) + np.arange(256)
        row = round((15 - t.f) / 30) + np.arange(256)
        for band, own in enumerate(("SR_B3", "SR_B2", "SR_B1")):
            np.testing.assert_array_equal(source.read(band + 1), ee_stub.truth(0, own, column, row))
    asked = len(server.sizes)
    assert main(command) == 0  # all there: nothing is asked for again
    assert len(server.sizes) == asked == 6
    images = read_images(tmp_path, ("before/*.tif",))
    bank = read_masks(tmp_path, ("gaps.npz",))
    assert bank.shape == (3, 256, 256)
    assert 0.05 < bank.mean() < 0.5
    batch = sample(images, bank, patch=96, batch=6, seed=[0, 0])
    assert np.isfinite(batch.truth).all() and batch.target.any()


def test_only_landsat_7(server, tmp_path, capsys):
    command = ["chips", str(tmp_path), "--box", "36", "-2", "38", "0"]
    assert main([*command, "--collection", "LANDSAT/LC08/C02/T1_L2"]) == 2
    assert "wanted Landsat 7" in capsys.readouterr().err
