"""Scale and offset: once, over any chain of open, fill, write, open."""

from __future__ import annotations

import itertools
import warnings

import numpy as np
import pytest
import xarray as xr

import xinpaint
from tests.io.products import product
from xinpaint.cube import spectra
from xinpaint.water.extent import Rule

pytestmark = [
    pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Consolidated metadata"),
]


@pytest.fixture(scope="module")
def level_2(tmp_path_factory):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PendingDeprecationWarning)
        home, layers = product(tmp_path_factory.mktemp("level2"), shape=(40, 50))
    return home, layers


def reflectance(ds: xr.Dataset, band: str) -> np.ndarray:
    """What the rest of the toolkit takes a band's numbers for."""
    scale = spectra.scale_of(ds[band], Rule("mndwi"))
    return ds[band].values.astype(float) * scale.factor + scale.offset


def fill(ds: xr.Dataset) -> xr.Dataset:
    return ds.inpaint.fillnodata()


def refresh(ds: xr.Dataset) -> xr.Dataset:
    """Forget that it was filled, so that it can be filled again."""
    made = [n for n in ds.data_vars if str(n).endswith(("_std", "_provenance"))]
    return ds.drop_vars(made)


OPEN = {
    "decoded": lambda path: xr.open_zarr(path, decode_coords="all"),
    "raw": lambda path: xr.open_zarr(path, decode_coords="all", mask_and_scale=False),
    "scenes": xinpaint.open_scenes,
    "numbers": lambda path: xinpaint.open_scenes(path, reflectance=False),
}


@pytest.mark.parametrize("start", [True, False], ids=["reflectance", "numbers"])
@pytest.mark.parametrize("chain", list(itertools.product(OPEN, repeat=2)), ids="-".join)
def test_once_over_any_chain(level_2, tmp_path, start, chain):
    home, layers = level_2
    truth = layers["red"] * 2.75e-5 - 0.2
    seen = (layers["red"] != 0) & ((layers["qa_pixel"] & 0b11111) == 0)
    ds = xinpaint.open_scenes(home, bands=["red", "nir08"], reflectance=start)
    for number, how in enumerate(chain):
        ds = fill(refresh(ds))
        np.testing.assert_allclose(reflectance(ds, "red")[0][seen], truth[seen], atol=2e-7)
        ds.to_zarr(tmp_path / f"{number}.zarr")
        ds = OPEN[how](tmp_path / f"{number}.zarr")
        np.testing.assert_allclose(reflectance(ds, "red")[0][seen], truth[seen], atol=2e-7)
        filled = ds.red_provenance.values[0] == 2
        assert filled[10:14].mean() > 0.5
        values = reflectance(ds, "red")[0][filled]
        assert (values > truth[seen].min() - 0.01).all() and (
            values < truth[seen].max() + 0.01
        ).all()
        if how in ("raw", "numbers") and not start and set(chain[:number]) <= {"raw", "numbers"}:
            assert ds.red.dtype == np.uint16 and ds.red.attrs["_FillValue"] == 0


def test_uint16_stays_uint16_with_nodata(level_2, tmp_path):
    home, layers = level_2
    ds = xinpaint.open_scenes(home, bands=["red"], reflectance=False)
    filled = fill(ds)
    assert filled.red.dtype == np.uint16
    filled.to_zarr(tmp_path / "numbers.zarr")
    again = xinpaint.open_scenes(tmp_path / "numbers.zarr", reflectance=False)
    assert again.red.dtype == np.uint16
    code = again.red_provenance.values[0]
    np.testing.assert_array_equal(again.red.values[0][code == 1], layers["red"][code == 1])
    assert (again.red.values[0][code == 2] != 0).all()
    assert again.qa.dtype == np.uint16 and again.observed.dtype == bool


class Wild:
    """A filler whose answers no uint16 holds: too low, too high, nodata itself."""

    def __init__(self, answer: float) -> None:
        from xinpaint.core.tiling import Halo

        self.halo, self.answer = Halo(0, 0, 0), answer

    def fill(self, task):
        from xinpaint.core.task import Fill

        return Fill(np.full(task.shape, self.answer, np.float32))


@pytest.mark.parametrize(("answer", "expected"), [
    (-0.5, -0.2 + 2.75e-5), (5.0, 65535 * 2.75e-5 - 0.2), (-0.2, -0.2 + 2.75e-5), (0.3, 0.3),
])  # fmt: skip
def test_packed_floats_are_written_without_wrapping(level_2, tmp_path, answer, expected):
    """A decoded store keeps its packing: what it cannot hold must not come back as another."""
    from xinpaint.cube.inpaint import inpaint

    home, _ = level_2
    numbers = xinpaint.open_scenes(home, bands=["red"], reflectance=False)
    numbers.to_zarr(tmp_path / "numbers.zarr")
    ds = xr.open_zarr(tmp_path / "numbers.zarr", decode_coords="all")
    assert ds.red.dtype.kind == "f"
    inpaint(ds, Wild(answer), name="wild").to_zarr(tmp_path / "filled.zarr")
    again = xr.open_zarr(tmp_path / "filled.zarr", decode_coords="all")
    filled = again.red.values[again.red_provenance.values == 2]
    assert len(filled) > 100
    np.testing.assert_allclose(filled, expected, atol=2e-5)
