"""Seasons by a classifier: what it is shown, labels, laziness, and tiles without seams."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
import torch
import xarray as xr

from tests.cube.ponds import GONE, YEAR, cube, states
from xinpaint.core.tiling import Halo
from xinpaint.cube import seasons
from xinpaint.errors import SchemaError
from xinpaint.methods.unet3d import UNet3DClassifier
from xinpaint.nets.unet3d import UNet3D
from xinpaint.water.extent import Rule

SCALE = Rule(scale=1e-4)


@dataclass(frozen=True)
class Shown:
    """Tells how dark swir1 was in the first month, and in how many months a pixel was seen."""

    halo: ClassVar[Halo] = Halo(None, 2, 2)

    def classify(self, task):
        seen = task.context.all(1)
        dark = np.where(seen[0], 1 - task.values[0, 2], 0.2)
        share = seen.mean(0)
        made = np.stack([1 - dark, dark * share, dark * (1 - share)])
        return made.astype(np.float32)


class Source:
    """A small net with weights as they fall."""

    sha256 = "made up"

    def __init__(self):
        torch.manual_seed(0)
        self.made = UNet3D((8, 8, 8)).eval().requires_grad_(False)
        self.made.temperature.fill_(0.02)  # so that answers differ

    def net(self, device):
        return self.made


def ponds(t=6, y=12, x=15):
    return cube(states(t, y, x), YEAR[:t])


def test_what_a_classifier_is_shown():
    truth = states(4)
    ds = cube(truth, [*YEAR[:3], "2003-05-09"])  # nobody saw April
    made = seasons.seasonality(ds, Shown(), SCALE)
    assert made.time.dt.month.values.tolist() == [1, 2, 3]
    seen = np.stack([truth[0], truth[1], truth[2], np.full_like(truth[0], 255), truth[3]]) != 255
    for k in range(3):
        months = seen[k : k + 3]
        np.testing.assert_array_equal(made.months_seen[k], months.sum(0))
        p = made.probability[:, k].values
        none = ~months.any(0)
        assert np.isnan(p[:, none]).all() and not np.isnan(p[:, ~none]).any()
        swir = ds.swir1[min(k, 2)].values * np.float32(1e-4)
        dark = np.where(months[0], 1 - swir, 0.2)
        np.testing.assert_allclose(p[0][~none], (1 - dark)[~none], atol=1e-6)
        shown = [month for month in range(k, k + 3) if month != 3]  # April has no date
        share = seen[shown].mean(0)
        np.testing.assert_allclose(p[1][~none], (dark * share)[~none], atol=1e-6)
        wanted = np.where(none, 255, p.argmax(0))
        np.testing.assert_array_equal(made.seasonality[k], wanted)


def test_a_month_of_several_dates_is_their_median():
    days = ["2003-01-02", "2003-01-12", "2003-01-22"]
    ds = cube(np.zeros((3, 4, 4), np.uint8), days, ("red", "nir", "swir1"))
    ds["swir1"] = ds.swir1.copy(data=np.int16([[[100]], [[900]], [[200]]]) * np.ones((1, 4, 4)))
    ds["swir1"] = ds.swir1.astype(np.int16).assign_attrs(nodata=GONE)
    made = seasons.seasonality(ds, Shown(), SCALE, window=1)
    np.testing.assert_allclose(made.probability[0], 0.02, atol=1e-6)
    ds["red"][2] = GONE  # a date that lacks a band is not seen
    made = seasons.seasonality(ds, Shown(), SCALE, window=1)
    np.testing.assert_allclose(made.probability[0], 0.05, atol=1e-6)


@pytest.mark.parametrize("chunks", [{"time": 1, "y": 5, "x": 7}, {"time": 4, "y": 12, "x": 4}])
def test_lazy_and_the_same_whatever_the_chunks(chunks):
    ds = ponds()
    options = {"window": 3, "step": 2}
    lazy = seasons.seasonality(ds.chunk(chunks), Shown(), SCALE, **options)
    assert all(v.chunks is not None for v in lazy.data_vars.values())
    whole = seasons.seasonality(ds, Shown(), SCALE, **options)
    xr.testing.assert_identical(lazy.compute(scheduler="synchronous"), whole)


@pytest.mark.filterwarnings("ignore:chunks of")
@pytest.mark.parametrize("chunk", [50, 77])
def test_tiles_of_the_net_have_no_seams(chunk, monkeypatch):
    from xinpaint.methods import unet3d

    ds = ponds(3, 150, 130)
    net = UNet3DClassifier(Source(), "cpu")
    whole = seasons.seasonality(ds, net, SCALE).compute()
    assert whole.probability.std() > 0.02
    lazy = seasons.seasonality(ds.chunk({"y": chunk, "x": chunk}), net, SCALE).compute()
    monkeypatch.setattr(unet3d, "SIDE", 64)
    tiled = seasons.seasonality(ds, net, SCALE)
    for made in (lazy, tiled):
        np.testing.assert_allclose(made.probability, whole.probability, atol=1e-4)
        two = np.sort(whole.probability.fillna(0), axis=0)
        close = two[-1] - two[-2] < 1e-4
        assert ((made.seasonality == whole.seasonality) | close).all()
    total = whole.probability.sum("class", skipna=False)
    np.testing.assert_allclose(total.values[whole.months_seen > 0], 1, atol=1e-5)


@pytest.mark.filterwarnings("ignore:Consolidated metadata")
@pytest.mark.filterwarnings("ignore:The data type")
def test_flags_crs_and_types_survive_zarr(tmp_path):
    ds = ponds().chunk({"y": 6})
    before = ds.copy(deep=True)
    made = seasons.seasonality(ds, Shown(), SCALE)
    made.to_zarr(tmp_path / "made.zarr")
    back = xr.open_zarr(tmp_path / "made.zarr", decode_coords="all")
    assert back.seasonality.dtype == back.months_seen.dtype == np.uint8
    assert back.probability.dtype == np.float32
    assert back.seasonality.attrs["flag_meanings"] == "not_water seasonal permanent no_data"
    assert list(back.seasonality.attrs["flag_values"]) == [0, 1, 2, 255]
    assert back.spatial_ref.attrs["crs_wkt"] == ds.spatial_ref.attrs["crs_wkt"]
    assert list(back["class"].values) == ["not_water", "seasonal", "permanent"]
    np.testing.assert_array_equal(back.seasonality, made.seasonality)
    assert back.seasonality.encoding["grid_mapping"] == "spatial_ref"
    xr.testing.assert_identical(ds, before)


def test_an_all_cloud_month_is_unseen_and_all_cloud_is_no_data():
    truth = states(3)
    truth[1] = 255
    made = seasons.seasonality(cube(truth, YEAR[:3]), Shown(), SCALE)
    assert made.months_seen.max() == 2
    nothing = seasons.seasonality(cube(np.full_like(truth, 255), YEAR[:3]), Shown(), SCALE)
    assert (nothing.seasonality == 255).all() and nothing.probability.isnull().all()


def test_filled_pixels_count_as_seen():
    ds = ponds(3)
    for band in ("red", "nir", "swir1"):
        gone = ds[band] == GONE
        ds[f"{band}_provenance"] = xr.where(gone, 2, 1).astype(np.uint8)
        ds[band] = ds[band].where(~gone, 1500).assign_attrs(nodata=GONE)
    made = seasons.seasonality(ds, Shown(), SCALE)
    assert (made.months_seen == 3).all() and (made.seasonality != 255).all()


@pytest.mark.parametrize(
    ("change", "rule", "message"),
    [
        (lambda ds: ds.isel(time=[1, 0, 2]), SCALE, "sortby"),
        (lambda ds: ds.isel(time=[0, 1]), SCALE, "window=3 needs at least 3"),
        (lambda ds: ds.isel(time=0), SCALE, "wanted a time dim"),
        (lambda ds: ds.drop_vars("nir"), SCALE, "needs red, nir, swir1.*missing nir"),
        (lambda ds: ds, Rule(), r"integers without scale_factor: pass\s+scale="),
        (lambda ds: ds.astype(float), Rule(), "the net needs reflectance of 0 to 1, but a band"),
    ],
)
def test_bad_input(change, rule, message):
    with pytest.raises(SchemaError, match=message):
        seasons.seasonality(change(ponds(3)), Shown(), rule)


def test_the_median_of_a_month():
    rng = np.random.default_rng(0)
    values = rng.random((5, 3, 20, 20)).astype(np.float32)
    values[np.broadcast_to(rng.random((5, 1, 20, 20)) < 0.5, values.shape)] = np.nan
    values[:, :, 0, 0] = np.nan
    made = seasons._median(values)
    assert np.isnan(made[:, 0, 0]).all()
    known = np.isfinite(values).any(0)
    wanted = [np.nanmedian(values[(slice(None), *place)]) for place in np.argwhere(known)]
    np.testing.assert_allclose(made[known], wanted)
    assert np.isnan(made[~known]).all()
