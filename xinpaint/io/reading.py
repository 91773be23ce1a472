"""One file, opened under a guard, read with retries; a failure has a name and no secret."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, TypeVar

from xinpaint.errors import DataError, RefusedError
from xinpaint.io.guard import Guard, NotAnImageError, clean, driver_of

T = TypeVar("T")
OnReadError = Literal["raise", "mark", "skip_date"]

#: GDAL must neither look for files beside the one that was checked nor ask by itself twice.
GDAL = {
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    "GDAL_PAM_ENABLED": "NO",
    "GDAL_HTTP_MAX_RETRY": "0",
    "VSI_CACHE": "FALSE",
}


@dataclass(frozen=True)
class Asset:
    """One file of one item.

    Parameters
    ----------
    item, name : str
        The item's id and the asset's key; what messages say.
    href : str
        Unsigned address.
    """

    item: str
    name: str
    href: str


@dataclass(frozen=True)
class Access:
    """How files are opened; travels to the workers.

    Parameters
    ----------
    guard : Guard
    patch_url : callable, optional
        Makes a signed address of a plain one. Called before every try, where the reading happens.
    retries : int
        Further tries after the first.
    timeout : float
        Seconds without a byte.
    wait : float
        Seconds before the second try; doubled before each further one.
    """

    guard: Guard
    patch_url: Callable[[str], str] | None = None
    retries: int = 3
    timeout: float = 30.0
    wait: float = 0.5


def read(asset: Asset, access: Access, use: Callable[[Any], T]) -> T:
    """Open a file and use it, with retries.

    Parameters
    ----------
    asset : Asset
    access : Access
    use : callable
        Takes the file as an opened rasterio dataset, good inside the call only.

    Raises
    ------
    RefusedError
        What the guard does not let through; at once.
    DataError
        After the last try; names item, asset and status. No query string, no credentials.
    """
    from xinpaint.io.http import busy

    status = ""
    for attempt in range(access.retries + 1):
        if attempt:
            time.sleep(access.wait * 2 ** (attempt - 1))
        try:
            with opened(asset, access) as image:
                return use(image)
        except Exception as error:  # each kind is told apart below
            if isinstance(found := refused(error), RefusedError):
                raise RefusedError(f"{_who(asset)}: {found}") from None
            status = status_of(error)
            if busy(error):  # that request was repeated already
                break
    raise DataError(
        f"{_who(asset)} could not be read: {status} (after {access.retries + 1} tries); check the "
        "address and its rights, or pass on_read_error='mark' or 'skip_date'"
    )


def _who(asset: Asset) -> str:
    return f"asset {asset.name!r} of item {asset.item!r} ({clean(asset.href)})"


@contextmanager
def opened(asset: Asset, access: Access) -> Iterator[Any]:
    """Open a file under the guard; yields a rasterio dataset."""
    import rasterio

    url = access.patch_url(asset.href) if access.patch_url else asset.href
    kind = access.guard.kind(url)
    with rasterio.Env(**GDAL):
        if kind == "http":
            with _remote(url, access) as image:
                yield image
            return
        if kind == "local":
            url = access.guard.path(url)
            with open(url, "rb") as file:
                driver = driver_of(file.read(512))
        else:
            driver = "JP2OpenJPEG" if clean(url).lower().endswith((".jp2", ".j2k")) else "GTiff"
        with rasterio.open(url, driver=driver) as image:
            access.guard.check_file(image)
            yield image


@contextmanager
def _remote(url: str, access: Access) -> Iterator[Any]:
    import rasterio

    from xinpaint.io.remote import HEADS, File, Remote
    from xinpaint.io.vsi import served

    key = clean(url)
    file = File(
        partial(
            Remote, url, key, access.guard,
            timeout=access.timeout, retries=access.retries, wait=access.wait,
        )
    )  # fmt: skip
    try:
        driver = driver_of(file.head)
        with served(file) as name, rasterio.open(name, driver=driver) as image:
            access.guard.check_file(image)
            yield image
    except Exception as error:
        HEADS.forget(key)
        raise file.failure or error from None
    if file.failure:
        HEADS.forget(key)
        raise file.failure


def refused(error: BaseException) -> BaseException:
    """Find a RefusedError among an error's causes; the error itself where there is none."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, RefusedError):
            return seen
        seen = seen.__cause__ or seen.__context__
    return error


def status_of(error: BaseException) -> str:
    """Say in a few words what went wrong; never what the library said, which may hold a URL."""
    import requests

    from xinpaint.io.http import StatusError

    if isinstance(error, StatusError):
        return f"HTTP {error.status}" if isinstance(error.status, int) else str(error.status)
    if isinstance(error, NotAnImageError):
        return str(error)
    if isinstance(error, requests.Timeout):
        return "timeout"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "truncated"
    if isinstance(error, requests.TooManyRedirects):
        return "too many redirects"
    if isinstance(error, requests.ConnectionError):
        return "timeout" if "timed out" in str(error).lower() else "no connection"
    found = re.search(r"HTTP response code:? (\d{3})", str(error))
    if found:
        return f"HTTP {found[1]}"
    return f"cannot be decoded ({type(error).__name__})"
