"""Items and catalogues that mean harm: refused with a clear word, nothing read, little memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import xinpaint
from tests.io import catalogue
from tests.io.catalogue import Server
from tests.io.products import bomb
from xinpaint.errors import DataError, RefusedError
from xinpaint.io.guard import Guard, clean
from xinpaint.io.http import Session

pytest.importorskip("odc.stac")
pytest.importorskip("pystac_client")
rasterio = pytest.importorskip("rasterio")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with catalogue.serving(tmp_path_factory.mktemp("scenes")) as made:
        yield made


@pytest.fixture(autouse=True)
def _little_memory() -> Iterator[None]:
    """No refusal may take 200 MB, in Python or in GDAL: the kernel keeps the peak."""
    status, reset = Path("/proc/self/status"), Path("/proc/self/clear_refs")
    if not reset.exists():
        yield
        return

    def kilobytes(key: str) -> int:
        line = next(line for line in status.read_text().splitlines() if line.startswith(key))
        return int(line.split()[1])

    reset.write_text("5")
    before = kilobytes("VmRSS")
    yield
    assert kilobytes("VmHWM") - before < 200_000


def opened(server: Server, href: str | None = None, **how: Any) -> Any:
    items = catalogue.items(server)[:1]
    if href is not None:
        items[0]["assets"]["red"]["href"] = href
    how = {"allow_hosts": [server.host], "retries": 0, "timeout": 5.0, **how}
    return xinpaint.open_stac(items, bands=["red"], quality=None, **how)


@pytest.mark.parametrize(
    ("href", "said"),
    [
        ("file:///etc/passwd", "is a local file; only files inside allowed folders"),
        ("file:///tmp/%2e%2e/etc/passwd", "is a local file"),
        ("file:///tmp/a%00b", "is a name inside GDAL"),
        ("/etc/passwd", "is a local file"),
        ("../secret.tif", "is a local file"),
        ("/vsicurl/http://example.org/a.tif", "is a name inside GDAL"),
        ("/vsizip//vsicurl/http://example.org/a.zip/a.tif", "is a name inside GDAL"),
        ("http://example.org/vsimem/a.tif", "is a name inside GDAL"),
        ("http://127.0.0.1:1/a.tif", "is private or loopback"),
        ("http://localhost/a.tif", "is private or loopback"),
        ("http://[::1]/a.tif", "is private or loopback"),
        ("http://169.254.169.254/latest/meta-data", "is private or loopback"),
        ("http://10.0.0.7/a.tif?sig=SECRET", "is private or loopback"),
        ("http://user:SECRET@192.168.1.1/a.tif", "is private or loopback"),
        ("ftp://example.org/a.tif", "has the scheme 'ftp'; wanted http"),
        ("WMS:http://example.org/", "wanted http"),
        ("NETCDF:a.nc:red", "local file|wanted http"),
        ("http:///a.tif", "is not a http.* URL"),
    ],
)
def test_an_address_is_refused_before_anything_is_asked(
    server: Server, href: str, said: str
) -> None:
    server.asked.clear()
    with pytest.raises(RefusedError, match=said) as caught:
        opened(server, href)
    assert "SECRET" not in str(caught.value)
    assert not server.asked


def test_local_files_are_read_inside_the_roots_only(server: Server, tmp_path: Path) -> None:
    inside = server.folder / f"LE07_{catalogue.DAYS[0]}_red.tif"
    ds = opened(server, str(inside), allow_roots=[server.folder])
    assert float(ds.red.max()) > 0.1
    link = server.folder / "link.tif"
    secret = tmp_path / "secret.tif"
    catalogue.write(secret, ds.red[0].values, 0)
    link.unlink(missing_ok=True)
    link.symlink_to(secret)
    for href in (str(link), f"{server.folder}/../{secret.name}", f"{server.folder}-other/a.tif"):
        with pytest.raises(RefusedError, match="is a local file"):
            opened(server, href, allow_roots=[server.folder])


def test_a_redirect_is_checked_again(server: Server) -> None:
    hidden = Server(server.folder)
    try:
        href = f"{server.url}/to/{hidden.url}/ok/LE07_{catalogue.DAYS[0]}_red.tif"
        ds = opened(server, href)
        with pytest.raises(RefusedError, match=r"'127.0.0.1' is private or loopback"):
            ds.compute(scheduler="synchronous")
        assert not hidden.asked
        assert opened(server, href, allow_hosts=[server.host, hidden.host]).red.max() > 0
    finally:
        hidden.close()


def test_a_name_that_leads_to_loopback_is_refused_when_connected(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    import socket

    real = socket.getaddrinfo

    def resolve(host: Any, *args: Any, **more: Any) -> Any:
        return real("127.0.0.1" if host == "images.example.org" else host, *args, **more)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    server.asked.clear()
    port = server.host.partition(":")[2]
    ds = opened(server, f"http://images.example.org:{port}/ok/a.tif")
    with pytest.raises(RefusedError, match=r"'images.example.org' is private or loopback"):
        ds.compute(scheduler="synchronous")
    assert not server.asked


def test_a_vrt_called_tif_opens_nothing(server: Server, tmp_path: Path) -> None:
    secret = tmp_path / "secret.tif"
    catalogue.write(secret, rasterio.open(next(server.folder.glob("*_red.tif"))).read(1), 0)
    (server.folder / "vrt.tif").write_text(
        f"""<VRTDataset rasterXSize="160" rasterYSize="160"><VRTRasterBand dataType="UInt16"
        band="1"><SimpleSource><SourceFilename>{secret}</SourceFilename></SimpleSource>
        <SimpleSource><SourceFilename>/vsicurl/{server.url}/ok/leak</SourceFilename></SimpleSource>
        </VRTRasterBand></VRTDataset>"""
    )
    server.asked.clear()
    for href in (f"{server.url}/ok/vrt.tif", str(server.folder / "vrt.tif")):
        ds = opened(server, href, allow_roots=[server.folder])
        with pytest.raises(RefusedError, match="is a VRT, which points at other files"):
            ds.compute(scheduler="synchronous")
    assert server.asked == ["/ok/vrt.tif"]


@pytest.mark.parametrize(
    ("side", "block", "said"),
    [(60_000, 60_000, "its blocks have 60000 x 60000 pixels, 6,8.. MB each"),
     (2_000_000, 256, "2000000 x 2000000 pixels; at most")],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:Dataset has no geotransform")
@pytest.mark.parametrize("engine", ["odc-stac", "stackstac"])
def test_a_file_that_unpacks_to_gigabytes_is_refused(
    server: Server, side: int, block: int, said: str, engine: str
) -> None:
    bomb(server.folder / f"bomb{block}.tif", side, block)
    ds = opened(server, f"{server.url}/ok/bomb{block}.tif", engine=engine)
    with pytest.raises(RefusedError, match=said):
        ds.compute(scheduler="synchronous")


def test_a_shape_of_a_billion_pixels_is_refused(server: Server) -> None:
    items = catalogue.items(server)[:1]
    items[0]["properties"]["proj:shape"] = [40_000, 40_000]
    server.asked.clear()
    with pytest.raises(RefusedError, match="40,000 x 40,000 pixels a date; at most 500,000,000"):
        xinpaint.open_stac(items, bands=["red"], allow_hosts=[server.host])
    assert not server.asked


def test_pages_that_run_in_a_circle_end(server: Server) -> None:
    following = {"rel": "next", "href": f"{server.url}/search", "method": "GET"}
    api = server.api(catalogue.items(server), [following])
    server.asked.clear()
    with pytest.raises(DataError, match="next-page links run in a circle"):
        xinpaint.open_stac(api, bands=["red"])
    assert len(server.asked) < 6


def test_a_local_address_may_have_spaces(tmp_path: Path) -> None:
    (file := tmp_path / "my scene.tif").write_bytes(b"")
    allowed = Guard(roots=(str(tmp_path),))
    assert allowed.path(file.as_uri()) == str(file)


@pytest.mark.parametrize("target", ["http://127.0.0.1:9/x", "file:///etc/passwd", "/etc/passwd"])
def test_a_next_page_elsewhere_is_refused(server: Server, target: str) -> None:
    following = {"rel": "next", "href": target, "method": "GET"}
    api = server.api(catalogue.items(server), [following])
    with pytest.raises(RefusedError, match=r"private or loopback|is not a http"):
        xinpaint.open_stac(api, bands=["red"])


def test_what_is_no_json_is_named(server: Server) -> None:
    api = server.api([])
    good = server.pages["/api"]
    server.pages["/api"] = (200, "{not json")
    with pytest.raises(DataError, match="did not answer as a STAC API: invalid JSON"):
        xinpaint.open_stac(api, bands=["red"])
    server.pages |= {"/api": good, "/search": (200, "<html>")}
    with pytest.raises(DataError, match="did not answer as a STAC API"):
        xinpaint.open_stac(api, bands=["red"])


def test_addresses_lose_what_is_secret() -> None:
    assert clean("https://u:p@h.org:8/a/b.tif?sig=x#y") == "https://h.org:8/a/b.tif"
    assert clean("/a/b.tif?sig=x") == "/a/b.tif"


def test_public_addresses_pass() -> None:
    guard = Guard()
    assert guard.kind("https://example.org/a.tif?x=1") == "http"
    assert guard.kind("s3://bucket/key.tif") == "cloud"
    assert Session(guard).max_redirects == 5
