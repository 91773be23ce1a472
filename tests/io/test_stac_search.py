"""`open_stac` against a real API: PostgreSQL, PostGIS, pgstac and stac-fastapi."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import xinpaint
from tests.io import catalogue, pgstac
from xinpaint.errors import DataError
from xinpaint.io.guard import Guard
from xinpaint.io.search import search

pytest.importorskip("pystac_client")
pytest.importorskip("odc.stac")
pytest.importorskip("stackstac")

MANY = 320


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[catalogue.Server]:
    with catalogue.serving(tmp_path_factory.mktemp("scenes")) as made:
        yield made


@pytest.fixture(scope="module")
def api(files: catalogue.Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    items = catalogue.items(files)
    for number in range(MANY):
        day = str(np.datetime64("2010-01-01") + 3 * number)
        item = catalogue.item(f"many-{number:03}", day, f"{files.url}/ok", collection="many")
        item["properties"]["eo:cloud_cover"] = float(number % 100)
        items.append(item)
    collections = [
        {
            "type": "Collection", "stac_version": "1.0.0", "id": name, "description": name,
            "license": "PDDL-1.0", "links": [],
            "extent": {
                "spatial": {"bbox": [[-180, -90, 180, 90]]},
                "temporal": {"interval": [["2000-01-01T00:00:00Z", None]]},
            },
        }
        for name in ("landsat-c2-l2", "many")
    ]  # fmt: skip
    with pgstac.running(tmp_path_factory.mktemp("api"), collections, items) as url:
        yield url


def opened(api: str, files: catalogue.Server, **how: object) -> xr.Dataset:
    options = {"collection": "landsat-c2-l2", "bands": ["red", "nir08"], "chunks": 100}
    return xinpaint.open_stac(api, allow_hosts=[files.host], **{**options, **how})  # type: ignore[arg-type]


def count(api: str, **query: object) -> int:
    return len(search(api, query, guard=Guard(), timeout=30, most=1000))


def test_a_search_becomes_a_cube_and_is_filled(api: str, files: catalogue.Server) -> None:
    box = catalogue.items(files)[0]["bbox"]
    ds = opened(api, files, bbox=box, datetime="2005")
    assert dict(ds.sizes)["time"] == 3
    xr.testing.assert_identical(
        ds.compute(), opened(api, files, bbox=box, datetime="2005", engine="stackstac").compute()
    )
    other = {"bbox": box, "datetime": "2005", "crs": "EPSG:32617", "resolution": 30.0}
    xr.testing.assert_identical(
        opened(api, files, **other).compute(),
        opened(api, files, **other, engine="stackstac").compute(),
    )
    from_items = xinpaint.open_stac(
        catalogue.items(files), bands=["red", "nir08"], bbox=box, allow_hosts=[files.host]
    )
    xr.testing.assert_identical(ds.compute(), from_items.compute())
    import rasterio

    with rasterio.open(files.folder / f"LE07_{catalogue.DAYS[0]}_red.tif") as image:
        assert image.transform.a == 30 == float(ds.x[1] - ds.x[0])
        assert (float(ds.x[0]) - image.transform.c) % 30 == 15
        assert (image.transform.f - float(ds.y[0])) % 30 == 15
    filled = ds.isel(time=0).inpaint.telea(radius=2).compute(scheduler="synchronous")
    assert float((filled.red_provenance == 2).mean()) > 0.1


def test_bbox_and_datetime_choose(api: str, files: catalogue.Server) -> None:
    assert opened(api, files, datetime="2005-01-01/2005-01-20").sizes["time"] == 2
    west, south = catalogue.items(files)[0]["bbox"][:2]
    with pytest.raises(DataError) as caught:
        opened(api, files, bbox=(west - 2, south - 2, west - 1, south - 1), datetime="2005")
    text = str(caught.value)
    assert "no item for" in text and "landsat-c2-l2" in text and "'2005'" in text
    assert f"{west - 2}" in text


def test_filters_are_cql2(api: str, files: catalogue.Server) -> None:
    clear = {"op": "<=", "args": [{"property": "eo:cloud_cover"}, 10]}
    assert opened(api, files, filter=clear).sizes["time"] == 2
    assert opened(api, files, filter="eo:cloud_cover <= 3").sizes["time"] == 1
    assert count(api, collections=["many"], filter=clear) == 44


def test_paging_goes_to_the_end(api: str) -> None:
    assert count(api, collections=["many"]) == MANY
    with pytest.raises(DataError, match=r"more than 300 items for collections=\['many'\]"):
        search(api, {"collections": ["many"]}, guard=Guard(), timeout=30, most=300)


def test_a_kept_search_needs_no_api(api: str, files: catalogue.Server, tmp_path: Path) -> None:
    cache = tmp_path / "search.json"
    first = opened(api, files, datetime="2005", cache=cache)
    kept = json.loads(cache.read_text())
    assert len(kept["features"]) == 3 and "sig=" not in cache.read_text()
    kept["xinpaint:query"]["url"] = dead = "http://127.0.0.1:9"
    cache.write_text(json.dumps(kept))
    again = opened(dead, files, datetime="2005", cache=cache)
    xr.testing.assert_identical(first.compute(), again.compute())
    with pytest.raises(DataError, match=r"keeps another search.*remove the file"):
        opened(dead, files, datetime="2006", cache=cache)
    as_source = copy.deepcopy(kept)
    del as_source["xinpaint:query"]
    cache.write_text(json.dumps(as_source))
    xr.testing.assert_identical(
        first.compute(), opened(str(cache), files, collection=None).compute()
    )


def test_an_api_that_is_none_is_named(api: str, files: catalogue.Server) -> None:
    with pytest.raises(DataError, match="did not answer as a STAC API"):
        opened("http://127.0.0.1:9/?token=SECRET", files)
    with pytest.raises(DataError, match="no item for") as caught:
        opened(api, files, collection="nowhere")
    assert "nowhere" in str(caught.value)
