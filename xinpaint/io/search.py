"""Searching a STAC API: guarded, bounded, and kept in a file when asked."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from xinpaint.errors import DataError, RefusedError
from xinpaint.io.guard import Guard, clean
from xinpaint.io.reading import refused

Item = dict[str, Any]


def search(
    url: str, query: Mapping[str, Any], *, guard: Guard, timeout: float, most: int
) -> list[Item]:
    """Ask an API for items, page after page.

    Parameters
    ----------
    url : str
        The API's landing page. Its own host may be asked even where it is private.
    query : mapping
        collections, bbox, datetime, filter as pystac-client takes them.
    guard : Guard
    timeout : float
        Seconds without a byte.
    most : int
        More items than this are an error.

    Returns
    -------
    list of dict
        Items as GeoJSON.

    Raises
    ------
    DataError
        Nothing found (the message repeats the query), too much found, an answer that is no STAC,
        pages that never end, or an API that does not answer.
    RefusedError
        A link to an address that the guard does not let through.
    """
    parts = urlsplit(url)
    if parts.hostname:
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
        guard = Guard((*guard.hosts, f"{parts.hostname}:{port}"), guard.roots)
    guard.check_url(url)
    try:
        found = _pages(url, query, guard, timeout, most)
    except DataError:
        raise
    except Exception as error:
        if isinstance(cause := refused(error), RefusedError):
            raise RefusedError(f"{clean(url)}: {cause}") from None
        raise DataError(f"{clean(url)} did not answer as a STAC API: {_words(error)}") from None
    if not found:
        raise DataError(
            f"{clean(url)} has no item for {_shown(query)}; widen bbox or datetime, or look at "
            "the collection's extent"
        )
    return found


def _pages(
    url: str, query: Mapping[str, Any], guard: Guard, timeout: float, most: int
) -> list[Item]:
    from pystac_client import Client
    from pystac_client.stac_api_io import StacApiIO

    from xinpaint.io.http import guarded

    class Guarded(StacApiIO):
        """Reads over HTTP only: pystac's own reader opens local paths as well."""

        def read_text(self, source: Any, *args: Any, **options: Any) -> str:
            guard.check_url(str(getattr(source, "href", source)))
            return str(super().read_text(source, *args, **options))

    stac_io = Guarded(timeout=timeout)
    guarded(stac_io.session, guard, retries=2)
    catalog = Client.open(url, stac_io=stac_io)
    found: dict[tuple[str, str], Item] = {}
    for page in catalog.search(**query, limit=min(200, most)).pages_as_dicts():
        items = page.get("features") or []
        fresh = {(str(item.get("collection")), str(item["id"])): item for item in items}
        if fresh and set(fresh) <= set(found):
            raise DataError(
                f"{clean(url)} sends the same items again and again ({len(found)} so far): its "
                "next-page links run in a circle"
            )
        found.update(fresh)
        if len(found) > most:
            raise DataError(
                f"{clean(url)} has more than {most:,} items for {_shown(query)}; narrow the search "
                "or raise max_items"
            )
    return list(found.values())


def _words(error: Exception) -> str:
    """What an error says, unless it may hold an address with its query."""
    if isinstance(error, json.JSONDecodeError) or "JSON" in type(error).__name__:
        return "invalid JSON"
    status = getattr(error, "status_code", None)
    if status:
        return f"HTTP {status}"
    text = str(error)
    return type(error).__name__ if "://" in text or "?" in text else f"{text[:200]}"


def _shown(query: Mapping[str, Any]) -> str:
    return ", ".join(f"{key}={value!r}" for key, value in query.items() if value is not None)


def kept(path: str | os.PathLike[str], query: Mapping[str, Any]) -> list[Item] | None:
    """Read items from a cache file; None where there is none.

    Raises
    ------
    DataError
        The file is of another query, or no such file at all.
    """
    file = Path(path)
    if not file.exists():
        return None
    try:
        said = json.loads(file.read_text())
        items, before = list(said["features"]), said.get("xinpaint:query")
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{file} is no kept search (GeoJSON with features); remove it") from error
    if before is not None and before != json.loads(json.dumps(query, default=str)):
        raise DataError(
            f"{file} keeps another search ({_shown(before)}), not {_shown(query)}; remove the "
            "file or name another one"
        )
    return items


def keep(path: str | os.PathLike[str], query: Mapping[str, Any], items: list[Item]) -> None:
    """Write items to a cache file in one step; addresses in it are unsigned."""
    file = Path(path)
    text = json.dumps(
        {"type": "FeatureCollection", "xinpaint:query": dict(query), "features": items},
        default=str,
    )
    partial = file.with_name(f".{file.name}.{os.getpid()}")
    partial.write_text(text)
    partial.replace(file)
