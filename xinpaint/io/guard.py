"""What a catalogue may make this machine open: addresses, folders, formats and sizes."""

from __future__ import annotations

import ipaddress
import os
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from xinpaint.errors import RefusedError

#: Schemes of object stores; GDAL reads them with the credentials of the environment.
CLOUD = ("s3", "gs", "az")
#: First bytes of a file -> the GDAL driver that reads it. Nothing else is opened.
MAGIC = {
    b"II*\0": "GTiff",
    b"MM\0*": "GTiff",
    b"II+\0": "GTiff",
    b"MM\0+": "GTiff",
    b"\0\0\0\x0cjP  ": "JP2OpenJPEG",
    b"\xff\x4f\xff\x51": "JP2OpenJPEG",
}


@dataclass(frozen=True)
class Guard:
    """What may be opened.

    Parameters
    ----------
    hosts : tuple of str
        Hosts (``name`` or ``name:port``) that may be asked although they are private or loopback.
    roots : tuple of str
        Local folders whose files may be read.
    max_block : int
        Bytes that one block of a file may take in memory.
    max_pixels : int
        Pixels of one band and date of the cube, and of one file.
    """

    hosts: tuple[str, ...] = ()
    roots: tuple[str, ...] = ()
    max_block: int = 256 * 2**20
    max_pixels: int = 500_000_000

    def kind(self, href: str) -> str:
        """Tell ``"http"``, ``"cloud"`` or ``"local"`` of an address that may be opened.

        Raises
        ------
        RefusedError
            Any other scheme, GDAL's ``/vsi`` names, a private or loopback host, a file outside the
            roots.
        """
        if "/vsi" in (plain := unquote(href).lower()) or "\0" in plain:
            raise RefusedError(
                f"{clean(href)!r} is a name inside GDAL; wanted an http(s), s3, gs or az address"
            )
        scheme = urlsplit(href).scheme.lower() if "://" in href or ":" in href[:6] else ""
        if scheme in ("http", "https"):
            self.check_url(href)
            return "http"
        if scheme in CLOUD and href.lower().startswith(f"{scheme}://"):
            return "cloud"
        if scheme in ("", "file"):
            self.path(href)
            return "local"
        raise RefusedError(
            f"{clean(href)!r} has the scheme {scheme!r}; wanted http(s), s3, gs or az"
        )

    def path(self, href: str) -> str:
        """Resolve a local file inside the roots, or raise RefusedError."""
        real = os.path.realpath(unquote(urlsplit(href).path) if href.startswith("file:") else href)
        for root in self.roots:
            if os.path.commonpath([os.path.realpath(root), real]) == os.path.realpath(root):
                return real
        raise RefusedError(
            f"{clean(href)!r} is a local file; only files inside allowed folders are read: pass "
            f"allow_roots=[...] if you trust it (now {list(self.roots)})"
        )

    def check_url(self, url: str) -> None:
        """Raise RefusedError for what a URL says by itself; the name is resolved on connecting."""
        parts = urlsplit(url)
        try:
            host, port = parts.hostname, parts.port
        except ValueError as error:
            raise RefusedError(f"{clean(url)!r} is no URL; wanted https://host/path") from error
        if parts.scheme not in ("http", "https") or not host:
            raise RefusedError(f"{clean(url)!r} is not a http(s) URL with a host")
        if self._allowed(host, port, parts.scheme):
            return
        if host.lower().rstrip(".") == "localhost" or host.lower().rstrip(".").endswith(
            ".localhost"
        ):
            raise _private(host)
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            return
        if not address.is_global:
            raise _private(host)

    def check_peer(self, host: str, port: int, address: str) -> None:
        """Raise RefusedError where a name led to a private or loopback address."""
        if self._allowed(host, port, ""):
            return
        if not ipaddress.ip_address(address.split("%")[0]).is_global:
            raise _private(host)

    def _allowed(self, host: str, port: int | None, scheme: str) -> bool:
        number = port or {"http": 80, "https": 443}.get(scheme)
        return host in self.hosts or f"{host}:{number}" in self.hosts

    def check_file(self, opened: Any) -> None:
        """Raise RefusedError where an opened rasterio dataset would take too much memory."""
        for (rows, cols), dtype in zip(opened.block_shapes, opened.dtypes, strict=True):
            size = rows * cols * itemsize(dtype)
            if size > self.max_block:
                raise RefusedError(
                    f"the file says its blocks have {rows} x {cols} pixels, {size / 2**20:,.0f} MB "
                    f"each; at most {self.max_block / 2**20:,.0f} MB are opened"
                )
        if opened.width * opened.height > self.max_pixels * 4:
            raise RefusedError(
                f"the file says it has {opened.width} x {opened.height} pixels; at most "
                f"{self.max_pixels * 4:,} are opened (raise max_pixels)"
            )

    def check_grid(self, rows: int, cols: int) -> None:
        """Raise RefusedError where a plane of the cube would be too large."""
        if rows * cols > self.max_pixels:
            raise RefusedError(
                f"the cube would have {rows:,} x {cols:,} pixels a date; at most "
                f"{self.max_pixels:,} are planned: pass a smaller bbox= or a coarser resolution=, "
                "or raise max_pixels"
            )


def driver_of(start: bytes) -> str:
    """GDAL driver of a file by its first bytes, or RefusedError."""
    for magic, driver in MAGIC.items():
        if start.startswith(magic):
            return driver
    shown = "HTML" if start.lstrip()[:1] == b"<" and b"html" in start[:512].lower() else "no image"
    if start.lstrip().startswith((b"<VRTDataset", b"<VRT")):
        raise RefusedError("the file is a VRT, which points at other files; wanted GeoTIFF or JP2")
    raise NotAnImageError(f"the answer is {shown} (no GeoTIFF, no JPEG 2000)")


class NotAnImageError(Exception):
    """What came is no image at all, such as a page that says to sign in; worth another try."""


def itemsize(dtype: str) -> int:
    """Bytes of one value of a rasterio dtype."""
    digits = "".join(c for c in dtype if c.isdigit())
    return max(1, int(digits or 8) // 8)


def clean(href: str) -> str:
    """Give an address without what may be secret: its query, fragment, user and password."""
    parts = urlsplit(href)
    if not parts.netloc:
        return href.split("?")[0].split("#")[0]
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _private(host: str) -> RefusedError:
    return RefusedError(
        f"the host {host!r} is private or loopback; pass allow_hosts=[{host!r}] if you trust it"
    )
