"""What may be said of how a catalogue is read: one record, checked before anything is asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from os import PathLike
from typing import Any, Literal, TypedDict

from xinpaint.core import qa
from xinpaint.errors import SchemaError
from xinpaint.io.guard import Guard
from xinpaint.io.reading import Access, OnReadError

Engine = Literal["odc-stac", "stackstac"]
GroupBy = Literal["solar_day", "time", "id"]

#: Engine -> the room that reads with it.
ENGINES = {"odc-stac": "xinpaint.io.read_odc", "stackstac": "xinpaint.io.read_stackstac"}


class How(TypedDict, total=False):
    """Keywords of `xinpaint.open_stac`; `Options` says what each means."""

    engine: Engine
    crs: str | None
    resolution: float | None
    chunks: int
    groupby: GroupBy
    scale: bool | tuple[float, float]
    quality: str | None
    mask: Sequence[str]
    dilate: int
    edge: int
    on_read_error: OnReadError
    retries: int
    timeout: float
    wait: float
    patch_url: Callable[[str], str] | None
    allow_hosts: Sequence[str]
    allow_roots: Sequence[str]
    max_pixels: int
    max_items: int
    cache: str | PathLike[str] | None


@dataclass(frozen=True)
class Options:
    """How a catalogue is read.

    Parameters
    ----------
    engine : {"odc-stac", "stackstac"}
        Whose reader reads the files; both give the same bits.
    crs : str, optional
        Of the cube, such as ``"EPSG:32636"``; the files' own where not given.
    resolution : float, optional
        In the unit of the CRS; the finest file's where not given.
    chunks : int
        Pixels a side of a dask chunk; a chunk holds one date.
    groupby : {"solar_day", "time", "id"}
        What makes one date: items of one day by the sun, of one instant, or each by itself.
    scale : bool or (float, float)
        True: reflectance as float32, NaN where there is nothing, scale and offset from the items
        or known of the collection. A pair: these scale and offset. False: the files' own numbers
        in their own dtype, with nodata.
    quality : str or None
        Name of the quality asset; ``"auto"`` looks for one; None reads none.
    mask : sequence of str
        Which flags (`xinpaint.core.qa.FLAGS`) make a gap.
    dilate : int
        Pixels by which clouds and shadows are widened.
    edge : int
        Pixels by which SLC gaps are widened.
    on_read_error : {"raise", "mark", "skip_date"}
        What a file that cannot be read makes: an error; pixels marked in ``read_failed``; or no
        date, as far as opening shows it, and later a date's block marked in all bands.
    retries, timeout, wait : int, float, float
        Further tries, seconds without a byte, seconds before the second try (then doubled).
    patch_url : callable, optional
        Signs an address; called where the reading happens, before every try.
    allow_hosts : sequence of str
        Private or loopback hosts (``name`` or ``name:port``) that files may come from.
    allow_roots : sequence of str
        Local folders that files may come from.
    max_pixels, max_items : int
        Budgets: pixels of a date, items of a search.
    cache : str or path, optional
        JSON file that keeps the search's result; where it is there, nothing is searched.

    Raises
    ------
    SchemaError
        A value that none of these take.

    Examples
    --------
    >>> Options(engine="stackstac", resolution=60.0).dilate
    0
    """

    engine: Engine = "odc-stac"
    crs: str | None = None
    resolution: float | None = None
    chunks: int = 1024
    groupby: GroupBy = "solar_day"
    scale: bool | tuple[float, float] = True
    quality: str | None = "auto"
    mask: Sequence[str] = qa.GAPS
    dilate: int = 0
    edge: int = 0
    on_read_error: OnReadError = "raise"
    retries: int = 3
    timeout: float = 30.0
    wait: float = 0.5
    patch_url: Callable[[str], str] | None = None
    allow_hosts: Sequence[str] = ()
    allow_roots: Sequence[str] = ()
    max_pixels: int = 500_000_000
    max_items: int = 10_000
    cache: str | PathLike[str] | None = None

    def __post_init__(self) -> None:
        qa.bits_of(self.mask)
        for name, value, wanted in (
            ("engine", self.engine, tuple(ENGINES)),
            ("groupby", self.groupby, ("solar_day", "time", "id")),
            ("on_read_error", self.on_read_error, ("raise", "mark", "skip_date")),
        ):
            if value not in wanted:
                raise SchemaError(f"found {name}={value!r}; wanted one of {', '.join(wanted)}")
        for name, least in (("chunks", 1), ("dilate", 0), ("edge", 0), ("retries", 0)):
            if getattr(self, name) < least:
                raise SchemaError(f"found {name}={getattr(self, name)}; wanted {least} or more")

    def access(self) -> Access:
        """What the workers need to open files."""
        guard = Guard(
            tuple(self.allow_hosts), tuple(map(str, self.allow_roots)), max_pixels=self.max_pixels
        )
        return Access(guard, self.patch_url, self.retries, self.timeout, self.wait)


def options(how: dict[str, Any]) -> Options:
    """Check keywords and make the record of them; a name that is not known raises SchemaError."""
    known = [field.name for field in fields(Options)]
    unknown = [name for name in how if name not in known]
    if unknown:
        raise SchemaError(
            f"open_stac takes no {', '.join(map(repr, unknown))}; it takes {', '.join(known)}"
        )
    return Options(**how)
