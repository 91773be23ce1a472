"""Small scenes over HTTP, and the STAC items that speak of them."""

from __future__ import annotations

import copy
import json
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np

CRS = "EPSG:32618"
#: Upper left corner: Landsat's grid has its pixel edges 15 m off the round numbers.
LEFT, TOP, SIDE, STEP = 500_085.0, 4_400_115.0, 160, 30.0
BANDS = ("red", "nir08")
DAYS = ("2005-01-03", "2005-01-19", "2005-02-04")


def write(path: Path, values: np.ndarray, nodata: float, **more: Any) -> None:
    """A tiled GeoTIFF, deflated, on the grid above."""
    import rasterio
    from rasterio.transform import from_origin

    options = {"tiled": True, "blockxsize": 64, "blockysize": 64, "compress": "deflate"} | more
    left, top = options.pop("left", LEFT), options.pop("top", TOP)
    with rasterio.open(
        path, "w", driver="GTiff", height=values.shape[0], width=values.shape[1], count=1,
        dtype=values.dtype, crs=options.pop("crs", CRS), nodata=nodata,
        transform=from_origin(left, top, STEP, STEP), **options,
    ) as out:  # fmt: skip
        out.write(values, 1)


def write_scene(folder: Path, name: str, seed: int, *, smooth: bool = False) -> None:
    """Bands of noise (it does not compress) or fields, stripes of nodata, a cloud, a swath edge."""
    rng = np.random.default_rng(seed)
    gap = (np.arange(SIDE)[:, None] + np.arange(SIDE) // 6 + 9 * seed) % 33 < 8
    gap = gap | (np.arange(SIDE) < 12 + seed)
    quality = np.full((SIDE, SIDE), 5440, np.uint16)
    quality[60:85, 90:120] = 5896
    quality[gap] = 1
    for band in BANDS:
        values = rng.integers(7300, 30000, (SIDE, SIDE), dtype=np.uint16)
        if smooth:
            values = fields((SIDE, SIDE), BANDS.index(band), seed)
        write(folder / f"{name}_{band}.tif", np.where(gap, 0, values).astype(np.uint16), 0)
    write(folder / f"{name}_qa_pixel.tif", quality, 1)


def fields(shape: tuple[int, int], band: int, date: int) -> np.ndarray:
    """Stored numbers of smooth land that changes a little from date to date."""
    row, col = np.indices(shape) / 23.0
    wave = np.sin(row + band) * np.cos(col + 0.3 * row) + 0.3 * np.sin(3 * col + band)
    return (11_000 + 1_500 * band + 400 * date + 1_800 * wave).astype(np.uint16)


def item(name: str, day: str, base: str, *, collection: str = "landsat-c2-l2") -> dict[str, Any]:
    """A STAC 1.0 item as the USGS and Planetary Computer write them."""
    from rasterio.warp import transform_bounds

    right, bottom = LEFT + SIDE * STEP, TOP - SIDE * STEP
    west, south, east, north = transform_bounds(CRS, "EPSG:4326", LEFT, bottom, right, TOP)
    assets: dict[str, Any] = {
        band: {
            "href": f"{base}/{name}_{band}.tif",
            "type": "image/tiff; application=geotiff; profile=cloud-optimized",
            "roles": ["data"],
            "eo:bands": [{"name": band, "common_name": band}],
            "raster:bands": [
                {"data_type": "uint16", "nodata": 0, "scale": 2.75e-5, "offset": -0.2}
            ],
        }
        for band in BANDS
    }
    assets["qa_pixel"] = {
        "href": f"{base}/{name}_qa_pixel.tif",
        "type": "image/tiff",
        "roles": ["data"],
        "raster:bands": [{"data_type": "uint16", "nodata": 1}],
    }
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "stac_extensions": [
            "https://stac-extensions.github.io/projection/v1.1.0/schema.json",
            "https://stac-extensions.github.io/raster/v1.1.0/schema.json",
            "https://stac-extensions.github.io/eo/v1.0.0/schema.json",
        ],
        "id": name,
        "collection": collection,
        "bbox": [west, south, east, north],
        "geometry": {"type": "Polygon", "coordinates": [ring]},
        "properties": {
            "datetime": f"{day}T15:30:00Z",
            "platform": "landsat-7",
            "instruments": ["etm+"],
            "eo:cloud_cover": float(int(day[-2:])),
            "proj:epsg": 32618,
            "proj:shape": [SIDE, SIDE],
            "proj:transform": [STEP, 0.0, LEFT, 0.0, -STEP, TOP],
        },
        "links": [],
        "assets": assets,
    }


class Quiet(ThreadingHTTPServer):
    """Says nothing of a client that hangs up, as GDAL does once it has what it wanted."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class Server:
    """Files over HTTP with ranges; the first part of a path may ask for trouble.

    ``/ok/F`` serves F. ``/404/F``, ``/403/F``, ``/500/F`` answer so; ``/html/F`` a page;
    ``/truncated/F`` the first two thirds of the file; ``/flip/F`` one bit off; ``/slow/F`` nothing
    for `pause` seconds; ``/flaky/F`` 503 before every second answer; ``/to/URL`` redirects;
    ``/signed/F?sig=N`` serves while N is not below `clock`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.clock, self.pause = folder, 0.0, 3.0
        self.asked: list[str] = []
        self.pages: dict[str, tuple[int, str]] = {}
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: Any) -> None:
                pass

            def do_GET(self) -> None:
                outer.answer(self)

            def do_HEAD(self) -> None:
                outer.answer(self)

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                outer.answer(self)

        self._server = Quiet(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self._server.server_address[1]}"
        self.url = f"http://{self.host}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def api(self, found: list[dict[str, Any]], links: list[dict[str, Any]] | None = None) -> str:
        """Answer as a STAC API that finds these items whatever is asked; its address."""
        mine = [
            {"rel": rel, "href": f"{self.url}/{path}", "type": kind, "method": method}
            for rel, path, kind, method in (
                ("self", "api", "application/json", "GET"),
                ("root", "api", "application/json", "GET"),
                ("search", "search", "application/geo+json", "GET"),
                ("search", "search", "application/geo+json", "POST"),
            )
        ]
        landing = {
            "type": "Catalog", "id": "made", "stac_version": "1.0.0", "description": "made",
            "conformsTo": ["https://api.stacspec.org/v1.0.0/core",
                           "https://api.stacspec.org/v1.0.0/item-search"],
            "links": mine,
        }  # fmt: skip
        page = {"type": "FeatureCollection", "features": found, "links": links or []}
        self.pages = {"/api": (200, json.dumps(landing)), "/search": (200, json.dumps(page))}
        return f"{self.url}/api"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, ask: BaseHTTPRequestHandler) -> None:
        self.asked.append(ask.path)
        parts = urlsplit(ask.path)
        if parts.path in self.pages:
            status, text = self.pages[parts.path]
            self.send(ask, status, text.encode(), "application/json")
            return
        _, mode, rest = parts.path.split("/", 2)
        if mode == "to":
            self.send(ask, 302, b"", "text/plain", {"Location": rest})
            return
        if mode.isdigit():
            self.send(ask, int(mode), b"<Error>sig=SECRET</Error>", "application/xml")
            return
        if mode == "html":
            self.send(ask, 200, b"<!DOCTYPE html><html>please sign in</html>", "text/html")
            return
        if mode == "flaky" and sum(a == ask.path for a in self.asked) % 2:
            self.send(ask, 503, b"", "text/plain")
            return
        if mode == "slow":
            time.sleep(self.pause)
        if mode == "signed":
            until = float(parse_qs(parts.query).get("sig", ["-1"])[0])
            if until < self.clock:
                self.send(ask, 403, b"<Code>AuthenticationFailed</Code>", "application/xml")
                return
        self.send_file(ask, mode, self.folder / rest)

    def send_file(self, ask: BaseHTTPRequestHandler, mode: str, path: Path) -> None:
        if not path.is_file():
            self.send(ask, 404, b"", "text/plain")
            return
        data = path.read_bytes()
        if mode == "flip":
            at = 2 * len(data) // 3
            data = data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1 :]
        if mode == "truncated":
            data = data[: 2 * len(data) // 3]
        asked = ask.headers.get("Range", "")
        if not asked.startswith("bytes="):
            self.send(ask, 200, data, "image/tiff")
            return
        first, _, last = asked[6:].partition("-")
        start, stop = int(first), min(int(last or len(data) - 1), len(data) - 1) + 1
        if start >= len(data):
            self.send(ask, 416, b"", "text/plain")
            return
        told = {"Content-Range": f"bytes {start}-{stop - 1}/{len(data)}"}
        self.send(ask, 206, data[start:stop], "image/tiff", told)

    @staticmethod
    def send(
        ask: BaseHTTPRequestHandler,
        status: int,
        body: bytes,
        kind: str,
        more: dict[str, str] | None = None,
    ) -> None:
        try:
            ask.send_response(status)
            for key, value in {
                "Content-Type": kind,
                "Accept-Ranges": "bytes",
                **(more or {}),
            }.items():
                ask.send_header(key, value)
            ask.send_header("Content-Length", str(len(body)))
            ask.end_headers()
            if ask.command != "HEAD":
                ask.wfile.write(body)
        except (BrokenPipeError, ConnectionResetError):
            pass


@contextmanager
def serving(folder: Path) -> Iterator[Server]:
    """A server with three scenes, closed at the end."""
    for seed, day in enumerate(DAYS):
        if not (folder / f"LE07_{day}_red.tif").exists():
            write_scene(folder, f"LE07_{day}", seed)
    server = Server(folder)
    try:
        yield server
    finally:
        server.close()


def items(server: Server, mode: str = "ok") -> list[dict[str, Any]]:
    """Items of the three scenes."""
    return [item(f"LE07_{day}", day, f"{server.url}/{mode}") for day in DAYS]


def spoiled(server: Server, mode: str, band: str = "red", date: int = 1) -> list[dict[str, Any]]:
    """Items of which one asset has a bad address."""
    made = copy.deepcopy(items(server))
    asset = made[date]["assets"][band]
    asset["href"] = asset["href"].replace("/ok/", f"/{mode}/") + "?sig=SECRET"
    return made
