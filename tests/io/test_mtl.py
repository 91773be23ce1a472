"""Landsat metadata files: the right group's coefficients, the sun's height, bad files by name."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from tests.io.products import ADD, MULT, SUN, metadata
from xinpaint.core.landsat import read_name, split_ending
from xinpaint.errors import DataError
from xinpaint.io import mtl

NAME = "LE07_L2SP_007059_20050104_20200914_02_T1"


def written(folder, text, ending="txt"):
    path = folder / f"{NAME}_MTL.{ending}"
    path.write_text(text)
    return path


def test_level_2_takes_its_own_coefficients(tmp_path):
    product = mtl.read(written(tmp_path, metadata(NAME, day="2005-01-04", level="L2SP")))
    assert set(product.scales.values()) == {(2.75e-5, -0.2)}
    assert (product.satellite, product.sensor, product.level) == (7, "etm", "L2SP")
    assert product.time == np.datetime64("2005-01-04T15:09:50.162277100")
    assert product.files["swir22"] == f"{NAME}_SR_B7.TIF"
    assert product.files["qa_pixel"] == f"{NAME}_QA_PIXEL.TIF"
    assert product.files["qa_radsat"] == f"{NAME}_QA_RADSAT.TIF"


def test_level_1_divides_by_the_sine_of_the_suns_height(tmp_path):
    product = mtl.read(written(tmp_path, metadata(NAME, day="2005-01-04", level="L1TP")))
    sine = math.sin(math.radians(SUN))
    assert product.scales["red"] == pytest.approx((MULT / sine, ADD / sine))


def test_json_says_the_same(tmp_path):
    text = written(tmp_path, metadata(NAME, day="2005-01-04", level="L2SP"))
    twin = written(tmp_path, json.dumps({"LANDSAT_METADATA_FILE": mtl.parse(text)}), "json")
    assert mtl.read(twin) == mtl.read(text)


def test_a_real_collection_1_file(data_dir):
    product = mtl.read(data_dir / "slc_off" / "etm_colombia_20161209_MTL.txt")
    assert product.name == "LE07_L1TP_007059_20161209_20170130_01_T1"
    sine = math.sin(math.radians(56.08655170))
    assert product.scales["nir08"] == pytest.approx((2.7577e-3 / sine, -0.017268 / sine))
    # the same file's own maximum: reflectance of DN 255, before the sun's height
    assert (255 * product.scales["nir08"][0] + product.scales["nir08"][1]) * sine == pytest.approx(
        0.685950, abs=1e-4
    )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: "hello", "is no Landsat metadata"),
        (lambda text: text.replace('"LANDSAT_7"', '"SPOT"'), "SPACECRAFT_ID = 'SPOT'"),
        (lambda text: text.replace("DATE_ACQUIRED", "DATE"), "lacks DATE_ACQUIRED"),
        (lambda text: text.replace("2005-01-04", "someday"), "wanted a date"),
        (lambda text: text.replace(str(SUN), "-3"), "taken at night"),
        (lambda text: text.replace(f"= {MULT}", "= many"), r"damaged.*fetch it again"),
    ],
)
def test_bad_files_are_named(tmp_path, change, said):
    path = written(tmp_path, change(metadata(NAME, day="2005-01-04", level="L1TP")))
    with pytest.raises(DataError, match=said) as caught:
        mtl.read(path)
    assert path.name in str(caught.value)


def test_bad_json_is_named(tmp_path):
    for text in ("{", "[]", '{"a": 1}', '{"X_METADATA_FILE": 3}'):
        with pytest.raises(DataError, match="is no Landsat metadata"):
            mtl.read(written(tmp_path, text, "json"))


def test_a_name_in_metadata_cannot_leave_the_folder(tmp_path):
    text = metadata(NAME, day="2005-01-04", level="L2SP").replace(
        f'"{NAME}_SR_B3.TIF"', '"../../etc/passwd"'
    )
    assert mtl.read(written(tmp_path, text)).files["red"] == "passwd"


@pytest.mark.parametrize(
    ("stem", "ending"),
    [
        (f"{NAME}_SR_B3", (NAME, "sr_b", "3")),
        (f"{NAME}_ST_B6", (NAME, "st_b", "6")),
        (f"{NAME}_QA_PIXEL", (NAME, "quality", "qa_pixel")),
        (f"{NAME}_ST_EMIS", (NAME, "other", "st_emis")),
        (f"{NAME}_SR_CLOUD_QA", (NAME, "other", "sr_cloud_qa")),
        (f"{NAME}_VZA", (NAME, "other", "vza")),
        ("LC08_L1TP_1_B10", ("LC08_L1TP_1", "other", "b10")),
        ("LE07_x_B6_VCID_1", ("LE07_x", "other", "b6_vcid_1")),
        ("LE07_x_sr_band4", ("LE07_x", "sr_band", "4")),
        ("scene_BQA", ("scene", "quality", "bqa")),
        ("etm_oakville_20030925", None),
    ],
)
def test_endings_of_file_names(stem, ending):
    assert split_ending(stem) == ending


def test_names_of_products():
    name = read_name("LC08_L1TP_033032_20190102_20200830_02_T1_B4")
    assert name is not None
    assert (name.satellite, name.sensor, name.level, name.collection) == (8, "oli", "L1TP", 2)
    assert name.day == np.datetime64("2019-01-02")
    assert read_name("etm_oakville_20030925") is None
