"""What is known of products by their names."""

from __future__ import annotations

import pytest

from xinpaint.core.sensors import product_of, quality_layout, sensor_of


@pytest.mark.parametrize(
    ("collection", "properties", "scale", "offset"),
    [
        ("landsat-c2-l2", {}, 2.75e-5, -0.2),
        ("landsat-c2l2-sr", {}, 2.75e-5, -0.2),
        ("sentinel-2-l2a", {"s2:processing_baseline": "03.01"}, 1e-4, 0.0),
        ("sentinel-2-l2a", {"s2:processing_baseline": "04.00"}, 1e-4, -0.1),
        ("sentinel-2-l2a", {"s2:processing_baseline": "05.11"}, 1e-4, -0.1),
        (
            "sentinel-2-l2a",
            {"s2:processing_baseline": "05.11", "earthsearch:boa_offset_applied": True},
            1e-4,
            0.0,
        ),
        ("HLSL30.v2.0", {}, 1e-4, 0.0),
        ("ga_ls7e_ard_3", {}, 1e-4, 0.0),
    ],
)
def test_products(collection: str, properties: dict, scale: float, offset: float) -> None:
    product = product_of(collection, properties)
    assert product is not None
    assert (product.scale, product.offset) == (scale, offset)


def test_what_is_not_known_is_not_guessed() -> None:
    assert product_of("landsat-c2-l1", {}) is None
    assert product_of("cop-dem-glo-30", {}) is None
    assert sensor_of("spot-5") == ("", None)


@pytest.mark.parametrize(
    ("platform", "sensor"),
    [("landsat-5", "TM"), ("LANDSAT_7", "ETM+"), ("landsat-9", "OLI"), ("Sentinel-2B", "MSI")],
)
def test_sensors(platform: str, sensor: str) -> None:
    assert sensor_of(platform)[0] == sensor


def test_quality_layouts() -> None:
    assert quality_layout("HLSS30.v2.0", "Fmask") == "hls_fmask"
    assert quality_layout("ga_ls7e_ard_3", "oa_fmask") == "oa_fmask"
    assert quality_layout("sentinel-2-l2a", "scl") == "scl"
    assert quality_layout("landsat-c2-l2", "red") is None
