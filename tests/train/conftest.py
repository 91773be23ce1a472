"""Fixtures of training: a small data folder and the tiny recipe that learns from it."""

import numpy as np
import pytest

from tests.train.tiny import SMALL
from xinpaint.train import recipe


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A data folder made here: smooth images and stripes."""
    import rasterio
    from scipy import ndimage

    from xinpaint.core import masks

    place = tmp_path_factory.mktemp("data")
    (place / "train").mkdir()
    (place / "masks").mkdir()
    rng = np.random.default_rng(0)
    for name in ("a", "b", "held"):
        image = ndimage.gaussian_filter(rng.normal(size=(3, 96, 96)), (0, 3, 3))
        image = (1000 + 5000 * image).astype(np.int16)
        options = {"driver": "GTiff", "width": 96, "height": 96, "count": 3}
        options |= {"dtype": "int16", "nodata": -999}
        options["transform"] = rasterio.Affine(30, 0, 0, 0, -30, 0)
        with rasterio.open(place / "train" / f"{name}.tif", "w", **options) as out:
            out.write(image)
    bank = np.stack([masks.scan_lines((128, 128), seed=k, position=0.6) for k in range(3)])
    np.savez(place / "masks" / "bank.npz", mask=np.packbits(bank, axis=-1))
    return place


@pytest.fixture
def plan():
    return recipe.Recipe(**SMALL)
