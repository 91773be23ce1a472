"""A stand-in for the Earth Engine REST server: one Landsat 7 collection made of arithmetic.

It serves the discovery document and the list of algorithms that ship with earthengine-api, and
works out the expressions that the client sends: what it cannot do it answers with an error.
"""

from __future__ import annotations

import io
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

LIMIT = 48 * 2**20
BANDS = {f"SR_B{n}": ("int", 65535) for n in (1, 2, 3, 4, 5, 7)} | {"QA_PIXEL": ("int", 65535)}
CLEAR, CLOUD = 5440, 22280


def truth(number: int, band: str, column: NDArray, row: NDArray) -> NDArray[np.int64]:
    """The stored numbers of an image at pixels counted from the grid's (15, 15) m; 0 = masked."""
    x, y = np.meshgrid(column, row)
    if band == "QA_PIXEL":
        made = np.where((x // 8 + y // 8) % 11 == number % 11, CLOUD, CLEAR)
    else:
        wave = 9000 + 60 * (x % 97) + 35 * (y % 89) + 211 * number + 401 * int(band[-1])
        made = wave + 20_000 * (((x // 40) + (y // 40)) % 2)
    return np.where((x + 3 * y + 17 * number) % 31 < 5, 0, made)  # stripes


@dataclass(frozen=True)
class Image:
    id: str
    time: int
    number: int
    bands: tuple[str, ...] = tuple(BANDS)
    others: tuple[Image, ...] = ()
    pixels: tuple[tuple[Image, str], ...] = ()
    fill: int | None = None
    properties: dict[str, Any] = field(default_factory=dict)

    def info(self) -> dict[str, Any]:
        grid = {"dimensions": [8000, 7000], "crs": "EPSG:32618"}
        bands = [
            {"id": b, "data_type": {"type": "PixelType", "precision": BANDS[b][0], "min": 0,
             "max": BANDS[b][1]}, **grid, "crs_transform": [30, 0, 15, 0, -30, 15]}
            for b in self.bands
        ]  # fmt: skip
        about = {"system:index": self.id.rsplit("/", 1)[-1], **self.properties}
        return {"type": "Image", "id": self.id, "bands": bands, "properties": about}

    def plane(self, band: str, column: NDArray, row: NDArray) -> NDArray[np.int64]:
        made = truth(self.number, band, column, row)
        for other in self.others:
            made = np.where(made == 0, other.plane(band, column, row), made)
        return made


@dataclass
class Server:
    """What the server holds, and what it was asked."""

    images: list[Image]
    url: str = ""
    sizes: list[int] = field(default_factory=list)
    refuse: int = 0
    status: int = 429
    message: str = "Too many requests: quota exceeded"

    def value(self, node: Any, values: dict[str, Any], bound: dict[str, Any]) -> Any:
        """Work out a node of an expression."""
        if isinstance(node, str):
            return self.value(values[node], values, bound)
        (kind, body), *_ = node.items()
        if kind == "constantValue":
            return body
        if kind == "valueReference":
            return self.value(values[body], values, bound)
        if kind == "argumentReference":
            return bound[body]
        if kind == "arrayValue":
            return [self.value(v, values, bound) for v in body["values"]]
        if kind == "dictionaryValue":
            return {k: self.value(v, values, bound) for k, v in body["values"].items()}
        if kind == "functionDefinitionValue":
            names, inner = body["argumentNames"], body["body"]
            return lambda *given: self.value(
                inner, values, {**bound, **dict(zip(names, given, strict=True))}
            )
        name = body["functionName"]
        given = {k: self.value(v, values, bound) for k, v in body["arguments"].items()}
        if name not in ALGORITHMS:
            raise LookupError(f"the stand-in does not know {name}")
        return ALGORITHMS[name](self, **given)

    def compute(self, expression: dict[str, Any]) -> Any:
        values = expression["values"]
        return _plain(self.value(values[expression["result"]], values, {}))

    def pixels(self, body: dict[str, Any]) -> bytes:
        """Answer image:computePixels."""
        expression = body["expression"]
        image = self.value(expression["values"][expression["result"]], expression["values"], {})
        size, t = body["grid"]["dimensions"], body["grid"]["affineTransform"]
        column = (t["translateX"] - 15) / 30 + np.arange(size["width"])
        row = (15 - t["translateY"]) / 30 + np.arange(size["height"])
        if not (np.allclose(column, np.rint(column)) and np.allclose(row, np.rint(row))):
            raise ValueError("asked for pixels between those of the collection")
        pairs = image.pixels or tuple((image, band) for band in image.bands)
        dtype = np.dtype([(f"{k}_{b}", np.int32) for k, (_, b) in enumerate(pairs)])
        self.sizes.append(size["width"] * size["height"] * dtype.itemsize)
        if self.sizes[-1] > LIMIT:
            raise ValueError(f"Total request size ({self.sizes[-1]} bytes) must be <= {LIMIT}")
        made = np.empty((size["height"], size["width"]), dtype)
        for name, (source, band) in zip(dtype.names, pairs, strict=True):
            plane = source.plane(band, np.rint(column).astype(int), np.rint(row).astype(int))
            made[name] = np.where(plane == 0, image.fill or 0, plane)
        file = io.BytesIO()
        np.save(file, made)
        return file.getvalue()


def _plain(value: Any) -> Any:
    if isinstance(value, Image):
        return value.info()
    return [_plain(v) for v in value] if isinstance(value, list) else value


def _filter(server: Server, collection: list[Image], filter: Callable[[Image], bool]) -> Any:
    return [image for image in collection if filter(image)]


def _between(server: Server, leftValue: tuple[int, int], rightField: str) -> Any:
    return lambda image: leftValue[0] <= image.time < leftValue[1]


def _select(server: Server, input: Image, bandSelectors: list[Any]) -> Image:
    if input.pixels:
        return replace(input, pixels=tuple(input.pixels[k] for k in bandSelectors))
    unknown = [b for b in bandSelectors if b not in input.bands]
    if unknown:
        raise LookupError(f"Image.select: Band pattern '{unknown[0]}' did not match any bands.")
    return replace(input, bands=tuple(bandSelectors))


def _add(server: Server, dstImg: Image, srcImg: Image, names: list[str] | None = None) -> Image:
    return replace(dstImg, pixels=(*dstImg.pixels, *((srcImg, b) for b in names or srcImg.bands)))


def _names(server: Server, image: Image) -> list[Any]:
    return list(range(-1, len(image.pixels)))  # the first is the empty image's own


def _iterate(server: Server, collection: list[Image], function: Any, first: Any) -> Any:
    for image in collection:
        first = function(image, first)
    return first


def _mosaic(server: Server, collection: list[Image]) -> Image:
    *below, top = collection
    return replace(top, others=tuple(reversed(below)), id="", time=0, properties={})


def _set(server: Server, object: Image, key: str, value: Any) -> Image:
    return replace(object, time=value) if key == "system:time_start" else object


def _column(image: Image, name: str) -> Any:
    return {"system:id": image.id, "system:time_start": image.time}.get(
        name, image.properties.get(name)
    )


def _list(server: Server, collection: list[Image], count: int, offset: int = 0) -> list[Image]:
    return collection[offset : offset + count]


def _points(server: Server, region: Any, points: int, seed: int = 0) -> dict[str, Any]:
    west, south, east, north = region
    rng = np.random.default_rng(seed)
    where = zip(rng.uniform(west, east, points), rng.uniform(south, north, points), strict=True)
    return {"features": [{"geometry": {"type": "Point", "coordinates": [*p]}} for p in where]}


def _box(server: Server, coordinates: Any, **more: Any) -> tuple[float, ...]:
    xy = np.asarray(coordinates, float).reshape(-1, 2)
    return (*xy.min(0), *xy.max(0))


def _bounds(server: Server, geometry: Any, **more: Any) -> dict[str, Any]:
    west, south, east, north = geometry
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return {"type": "Polygon", "coordinates": [ring]}


#: Name of an algorithm -> what works it out.
ALGORITHMS: dict[str, Callable[..., Any]] = {
    "ImageCollection.load": lambda s, id: [i for i in s.images if i.id.startswith(id)],
    "Image.load": lambda s, id: next(i for i in s.images if i.id == id),
    "Collection.filter": _filter,
    "Collection.size": lambda s, collection: len(collection),
    "Collection.first": lambda s, collection: collection[0] if collection else None,
    "Collection.limit": lambda s, collection, limit=None, key=None, ascending=True: sorted(
        collection, key=lambda i: 0 if key is None else _column(i, key), reverse=not ascending
    )[:limit],
    "Collection.map": lambda s, collection, baseAlgorithm, **k: [
        baseAlgorithm(i) for i in collection
    ],
    "Collection.toList": _list,
    "Collection.iterate": _iterate,
    "Collection.reduceColumns": lambda s, collection, reducer, selectors, **k: {
        "list": [[_column(i, name) for i in collection] for name in selectors]
    },
    "AggregateFeatureCollection.array": lambda s, collection, property: [
        _column(i, property) for i in collection
    ],
    "ImageCollection.fromImages": lambda s, images: list(images),
    "ImageCollection.mosaic": _mosaic,
    "FeatureCollection.randomPoints": _points,
    "Element.toDictionary": lambda s, element, **k: {},
    "Element.set": _set,
    "Dictionary.get": lambda s, dictionary, key, **k: dictionary[key],
    "List.slice": lambda s, list, start, end=None, step=None: list[start:end:step],
    "Filter.dateRangeContains": _between,
    "Filter.intersects": lambda s, **k: lambda image: True,
    "DateRange": lambda s, start, end, **k: tuple(
        int(np.datetime64(d, "ms").astype(int)) for d in (start, end)
    ),
    "Feature": lambda s, geometry, **k: geometry,
    "Projection": lambda s, crs: crs,
    "GeometryConstructors.Rectangle": _box,
    "GeometryConstructors.Polygon": _box,
    "GeometryConstructors.Point": lambda s, coordinates, **k: coordinates,
    "Geometry.bounds": _bounds,
    "Reducer.toList": lambda s, **k: None,
    "Reducer.repeat": lambda s, **k: None,
    "Image.constant": lambda s, value: Image("", 0, 0, ()),
    "Image.mask": lambda s, image, mask=None: image,
    "Image.addBands": _add,
    "Image.bandNames": _names,
    "Image.select": _select,
    "Image.unmask": lambda s, input, value, sameFootprint=True: replace(input, fill=value.number),
}
# an empty image's constants are bands nobody asks for; unmask's value is a constant image as well
ALGORITHMS["Image.constant"] = lambda s, value: Image("", 0, value, ())


def images(days: list[str], collection: str = "LANDSAT/LE07/C02/T1_L2") -> list[Image]:
    """One image a day (or time), of one path and row."""
    made = []
    for number, day in enumerate(days):
        time = int(np.datetime64(day if "T" in day else f"{day}T15:00:00", "ms").astype(int))
        stamp = day[:10].replace("-", "")
        index = f"LE07_{7059 + number % 2:06d}_{stamp}" if "T" in day else f"LE07_007059_{stamp}"
        properties = {"CLOUD_COVER": 10 * (number % 5)}
        made.append(Image(f"{collection}/{index}", time, number, properties=properties))
    return made


@contextmanager
def serving(held: list[Image]) -> Iterator[Server]:
    """Serve images; for ``ee.Initialize(AnonymousCredentials(), url=server.url, project="x")``."""
    server = Server(held)
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), _handler(server))
    server.url = f"http://127.0.0.1:{httpd.server_port}"
    thread = threading.Thread(target=httpd.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        httpd.shutdown()
        httpd.server_close()
        thread.join()


def _handler(server: Server) -> type[BaseHTTPRequestHandler]:
    import ee

    shipped = Path(ee.__file__).parent / "tests"

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *args: Any) -> None:
            pass

        def answer(self, body: bytes, code: int = 200, kind: str = "application/json") -> None:
            self.send_response(code)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self) -> None:
            if "discovery" in self.path:
                text = (shipped / "cloud_api_discovery_document.json").read_text()
                document = json.loads(text)
                document.update(dict.fromkeys(("rootUrl", "baseUrl"), f"{server.url}/"))
                self.answer(json.dumps(document).encode())
            elif re.search("/algorithms", self.path):
                self.answer((shipped / "algorithms.json").read_bytes())
            else:
                self.answer(b"{}", 404)

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            try:
                if ":computePixels" not in self.path:
                    result = {"result": server.compute(body["expression"])}
                    self.answer(json.dumps(result).encode())
                elif server.refuse > 0:
                    server.refuse -= 1
                    error = {"error": {"code": server.status, "message": server.message}}
                    self.answer(json.dumps(error).encode(), server.status)
                else:
                    self.answer(server.pixels(body), kind="application/octet-stream")
            except Exception as error:
                text = {"error": {"code": 400, "message": f"{error}"}}
                self.answer(json.dumps(text).encode(), 400)

    return Handler
