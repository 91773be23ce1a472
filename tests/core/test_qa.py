"""Quality bands: published values of each product, and what is made of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from xinpaint.core import qa
from xinpaint.errors import SchemaError


def flags_of(value: int, layout: str, **options: object) -> set[str]:
    return set(qa.names(int(qa.decode(np.array([value]), layout, **options)[0])))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("layout", "value", "found"),
    [
        # Collection 2, from the value tables of USGS LSDS-1618 (L4-7) and LSDS-1619 (L8-9)
        ("qa_pixel", 1, {"fill"}),
        ("qa_pixel", 5440, set()),
        ("qa_pixel", 5504, {"water"}),
        ("qa_pixel", 5442, {"dilated_cloud"}),
        ("qa_pixel", 7440, {"shadow"}),
        ("qa_pixel", 7568, {"shadow", "water"}),
        ("qa_pixel", 5896, {"cloud"}),
        ("qa_pixel", 13600, {"snow"}),
        ("qa_pixel", 21824, set()),
        ("qa_pixel", 21952, {"water"}),
        ("qa_pixel", 22080, set()),
        ("qa_pixel", 22280, {"cloud"}),
        ("qa_pixel", 23888, {"shadow"}),
        ("qa_pixel", 30048, {"snow"}),
        ("qa_pixel", 54596, {"cirrus"}),
        # Collection 1 surface reflectance
        ("pixel_qa", 1, {"fill"}),
        ("pixel_qa", 66, set()),
        ("pixel_qa", 68, {"water"}),
        ("pixel_qa", 72, {"shadow"}),
        ("pixel_qa", 80, {"snow"}),
        ("pixel_qa", 96, {"cloud"}),
        ("pixel_qa", 224, {"cloud"}),
        ("pixel_qa", 834, {"cirrus"}),
        ("pixel_qa", 1346, {"terrain"}),
        # Collection 1 level 1
        ("bqa", 1, {"fill"}),
        ("bqa", 672, set()),
        ("bqa", 676, {"saturated"}),
        ("bqa", 752, {"cloud"}),
        ("bqa", 928, {"shadow"}),
        ("bqa", 1696, {"snow"}),
        ("bqa", 6816, {"cirrus"}),
        # before the collections (USGS Landsat 8 QA band, 2013-2016)
        ("bqa", 20480, set()),
        ("bqa", 28672, {"cirrus"}),
        ("bqa", 36864, set()),
        ("bqa", 53248, {"cloud"}),
        ("bqa", 61440, {"cloud", "cirrus"}),
        ("fmask", 3, {"snow"}),
        ("fmask", 255, {"fill"}),
        ("cfmask", 1, {"water"}),
        ("oa_fmask", 0, {"fill"}),
        ("oa_fmask", 5, {"water"}),
        ("hls_fmask", 64, set()),
        ("hls_fmask", 2 | 4, {"cloud", "dilated_cloud"}),
        ("hls_fmask", 255, {"fill"}),
        ("scl", 0, {"fill"}),
        ("scl", 1, {"saturated"}),
        ("scl", 2, {"terrain"}),
        ("scl", 3, {"shadow"}),
        ("scl", 4, set()),
        ("scl", 6, {"water"}),
        ("scl", 7, set()),
        ("scl", 8, {"cloud"}),
        ("scl", 9, {"cloud"}),
        ("scl", 10, {"cirrus"}),
        ("scl", 11, {"snow"}),
        ("scl", 12, {"fill"}),
        ("qa_radsat", 0, set()),
        ("qa_radsat", 4, {"saturated"}),
        ("qa_radsat", 256, {"saturated"}),
        ("qa_radsat", 512, {"dropped"}),
        ("qa_radsat", 2048, {"terrain"}),
        ("radsat_qa", 1, {"fill"}),
        ("radsat_qa", 2, {"saturated"}),
    ],
)
def test_published_values(layout: str, value: int, found: set[str]) -> None:
    assert flags_of(value, layout) == found


def test_bit_1_of_bqa_depends_on_the_sensor() -> None:
    assert flags_of(674, "bqa") == flags_of(674, "bqa", family="etm") == {"dropped"}
    assert flags_of(674, "bqa", family="oli") == {"terrain"}


@pytest.mark.parametrize(
    ("layout", "family", "band", "bit"),
    [
        ("qa_radsat", "etm", "red", 2),
        ("qa_radsat", "etm", "swir2", 6),
        ("qa_radsat", "oli", "red", 3),
        ("qa_radsat", "oli", "blue", 1),
        ("radsat_qa", "tm", "red", 3),
        ("radsat_qa", "oli", "red", 4),
    ],
)
def test_saturation_of_one_band(layout: str, family: str, band: str, bit: int) -> None:
    assert flags_of(1 << bit, layout, family=family, bands=[band]) == {"saturated"}
    others = ((1 << 8) - 2) ^ (1 << bit) if layout == "radsat_qa" else 0x17F ^ (1 << bit)
    assert flags_of(others, layout, family=family, bands=[band]) == set()


@given(hnp.arrays(np.uint16, (3, 5)), st.sampled_from(qa.LAYOUTS))
def test_every_dtype_decodes_alike(values: np.ndarray, layout: str) -> None:
    if layout in ("fmask", "cfmask"):  # of others, those between are an error
        values = np.where((values > 4) & (values < 255), 4, values).astype(np.uint16)
    flags = qa.decode(values, layout)
    assert flags.dtype == np.uint16 and flags.shape == values.shape
    for dtype in (np.int32, np.int64, np.uint32, np.float32, np.float64):
        assert (qa.decode(values.astype(dtype), layout) == flags).all()
    assert (qa.clear(values, layout) == qa.observed(flags)).all()


def test_what_is_no_value_of_the_layer_is_fill() -> None:
    for values in (np.array([-1, 1 << 20]), np.array([np.nan, np.inf], np.float32)):
        assert (qa.decode(values, "qa_pixel") == qa.FLAGS["fill"]).all()


@pytest.mark.parametrize("layout", qa.LAYOUTS)
def test_a_layer_s_own_fill_value_is_fill(layout: str) -> None:
    assert flags_of(qa.FILL_VALUES[layout], layout) == {"fill"}


def test_gaps_are_a_choice() -> None:
    flags = qa.decode(np.array([1, 22280, 23888, 30048, 21824, 54596]), "qa_pixel")
    assert qa.observed(flags).tolist() == [False, False, False, True, True, False]
    assert qa.observed(flags, gaps=("fill",)).tolist() == [False, True, True, True, True, True]
    chosen = qa.observed(flags, gaps=("fill", "cloud", "snow"))
    assert chosen.tolist() == [False, False, True, False, True, True]
    assert not qa.observed(np.array([qa.FLAGS["read_failed"]], np.uint16), gaps=()).any()


def test_clouds_grow_and_stripes_only_when_asked() -> None:
    flags = np.zeros((2, 21, 21), np.uint16)
    flags[0, 10, 10] = qa.FLAGS["cloud"]
    flags[1, 10] = qa.FLAGS["slc_gap"]
    grown = ~qa.observed(flags, dilate=3)
    rows, cols = np.mgrid[-10:11, -10:11]
    assert (grown[0] == (rows**2 + cols**2 <= 9)).all()
    assert grown[1].sum() == 21
    assert (~qa.observed(flags, edge=2)).sum(axis=(1, 2)).tolist() == [1, 5 * 21]
    assert qa.observed(flags, gaps=("fill",), dilate=3)[0].all()


def test_flags_are_cf_flags() -> None:
    attrs = qa.attributes()
    assert attrs["flag_masks"].dtype == np.uint16
    assert attrs["flag_meanings"].split() == list(qa.FLAGS)
    assert len(set(attrs["flag_masks"].tolist())) == len(qa.FLAGS)


def test_mistakes_are_named() -> None:
    flags = np.zeros((2, 2), np.uint16)
    with pytest.raises(SchemaError, match="'qa_pixle' is not known; wanted one of bqa, cfmask"):
        qa.decode(flags, "qa_pixle")
    with pytest.raises(SchemaError, match=r"clouds.*wanted a sequence of names out of fill"):
        qa.observed(flags, gaps=("clouds",))
    with pytest.raises(SchemaError, match="found flags 'cloud'"):
        qa.observed(flags, gaps="cloud")
    with pytest.raises(SchemaError, match="dilate=-1"):
        qa.observed(flags, dilate=-1)
    with pytest.raises(SchemaError, match="family=None; wanted 'tm'"):
        qa.decode(flags, "qa_radsat", bands=["red"])


@pytest.mark.parametrize(
    ("scene", "quality", "layout", "nodata"),
    [("slc_off/etm_colombia_20161209", "_pixel_qa", "pixel_qa", 0),
     ("slc_off/etm_colombia_20161209", "_bqa", "bqa", 0),
     ("cloudy/oli_gulf_coast_usa", "_bqa", "bqa", 0)],
)  # fmt: skip
def test_fill_of_real_scenes_is_where_the_bands_hold_nothing(
    data_dir, scene: str, quality: str, layout: str, nodata: int
) -> None:
    rasterio = pytest.importorskip("rasterio")
    with rasterio.open(data_dir / f"{scene}{quality}.tif") as opened:
        flags = qa.decode(opened.read(1), layout)
    with rasterio.open(data_dir / f"{scene}.tif") as opened:
        empty = (opened.read() == nodata).all(axis=0)
    fill = (flags & qa.FLAGS["fill"]) != 0
    assert (fill == empty).mean() > 0.999
    assert 0.01 < ((flags & qa.FLAGS["cloud"]) != 0).mean() < 0.5
