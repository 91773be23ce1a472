"""Quality bands of Landsat and Sentinel-2 as one set of flags; their layouts: `qa_layouts`."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from functools import cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from xinpaint.core.qa_layouts import (
    BEFORE_COLLECTIONS,
    BITS,
    CODES,
    HIGH,
    HIGH_BEFORE,
    LAYOUTS,
    OTHER_QUALITY,
    RADSAT,
    SATURATION_BITS,
)
from xinpaint.core.qa_layouts import FILL_VALUES as FILL_VALUES
from xinpaint.errors import SchemaError

Flags = NDArray[np.uint16]
Family = Literal["tm", "etm", "oli", "msi"]

#: Flag -> its bit in what `decode` returns. Several may be set in one pixel.
FLAGS: dict[str, int] = {
    "fill": 1 << 0,
    "dropped": 1 << 1,
    "cloud": 1 << 2,
    "dilated_cloud": 1 << 3,
    "cirrus": 1 << 4,
    "shadow": 1 << 5,
    "snow": 1 << 6,
    "water": 1 << 7,
    "saturated": 1 << 8,
    "terrain": 1 << 9,
    "slc_gap": 1 << 10,
    "gap_edge": 1 << 11,
    "read_failed": 1 << 12,
}
#: What counts as a gap where nobody says otherwise: the ground was not seen.
GAPS = (
    "fill",
    "dropped",
    "cloud",
    "dilated_cloud",
    "cirrus",
    "shadow",
    "slc_gap",
    "gap_edge",
    "read_failed",
)
#: What `observed` widens when asked to: borders of these are never sharp.
SOFT = ("cloud", "dilated_cloud", "cirrus", "shadow")


def quality_rule(name: str) -> str | None:
    """Name the layout that tells what a quality variable of this name saw, or None.

    Parameters
    ----------
    name : str
        Variable name in any case: ``QA_PIXEL`` (Collection 2), ``pixel_qa`` and ``BQA``
        (Collection 1), ``fmask``, ``cfmask`` (0 land, 1 water, 2 shadow, 3 snow, 4 cloud, others
        fill), ``oa_fmask`` (1 clear, 2 cloud, 3 shadow, 4 snow, 5 water), ``SCL`` (Sentinel-2).
        The ``Fmask`` of HLS is packed: rename it ``hls_fmask``.

    Examples
    --------
    >>> quality_rule("QA_PIXEL"), quality_rule("red")
    ('qa_pixel', None)
    """
    lower = name.lower()
    return lower if lower in LAYOUTS else None


def is_quality(name: str) -> bool:
    """Whether a variable of this name holds quality flags, known to `quality_rule` or not."""
    lower = name.lower()
    return lower in LAYOUTS or OTHER_QUALITY.search(lower) is not None


def decode(
    values: NDArray[Any],
    layout: str,
    *,
    family: Family | None = None,
    bands: Iterable[str] | None = None,
) -> Flags:
    """Decode a quality layer into flags.

    Parameters
    ----------
    values : integer or float, any shape
        Raw layer. In a float array (a decoded ``_FillValue``) NaN is fill.
    layout : str
        One of `LAYOUTS`, or ``"qa_radsat"`` (Collection 2), ``"radsat_qa"`` (Collection 1).
    family : {"tm", "etm", "oli", "msi"}, optional
        The sensor. ``BQA`` of Collection 1 needs it: its bit 1 says "dropped" on TM and ETM+ and
        "terrain occlusion" on OLI; where it is not given it counts as dropped.
    bands : iterable of str, optional
        Common names of the bands whose saturation counts, for the two saturation layers; needs
        `family`. Any band where not given.

    Returns
    -------
    uint16, same shape
        Bits of `FLAGS`.

    Raises
    ------
    SchemaError
        Unknown layout, `bands` without a sensor whose layout of bits is known, or numbers in
        ``fmask`` that only the packed one of HLS holds.

    Examples
    --------
    >>> names(int(decode(np.array([22280]), "qa_pixel")[0]))
    ('cloud',)
    """
    if layout not in BITS and layout not in CODES:
        known = ", ".join(sorted((*BITS, *CODES)))
        raise SchemaError(f"quality layout {layout!r} is not known; wanted one of {known}")
    if values.dtype.kind == "f":
        finite = np.isfinite(values)
        raw = np.where(finite, values, 0).astype(np.int64)
    else:
        finite, raw = None, values
    table = _table(layout, family, None if bands is None else tuple(bands))
    if layout in ("fmask", "cfmask"):
        _check_codes(raw, layout)
    limit = len(table) - 1
    outside = (raw < 0) | (raw > limit)
    flags = table[np.where(outside, 0, raw)]
    flags[outside if finite is None else outside | ~finite] = FLAGS["fill"]
    return flags


def _check_codes(raw: NDArray[Any], layout: str) -> None:
    """Raise SchemaError where a mask of codes holds bits."""
    packed = (raw > max(CODES[layout])) & (raw < 255)
    if packed.any():
        raise SchemaError(
            f"{layout} holds {int(raw[packed][0])}; wanted 0 land, 1 water, 2 shadow, 3 snow, "
            "4 cloud, 255 fill. If it is the packed Fmask of HLS, rename it hls_fmask"
        )


@cache
def _table(layout: str, family: Family | None, bands: tuple[str, ...] | None) -> Flags:
    """Flags of every value a layer can hold: a look-up is several times faster than bit tests."""
    size = 256 if layout in CODES or layout == "hls_fmask" else 1 << 16
    every = np.arange(size, dtype=np.int64)
    flags = np.zeros(size, np.uint16)
    if layout in CODES:
        flags[:] = FLAGS["fill"]
        for code, flag in CODES[layout].items():
            flags[code] = 0 if flag is None else FLAGS[flag]
        return flags
    for bit, flag in BITS[layout].items():
        renamed = "terrain" if (layout, bit, family) == ("bqa", 1, "oli") else flag
        flags[(every >> bit) & 1 == 1] |= FLAGS[renamed]
    for bit, flag in HIGH.get(layout, {}).items():
        flags[(every >> bit) & 3 == 3] |= FLAGS[flag]
    if layout == "bqa":
        flags[(every >> 2) & 3 > 0] |= FLAGS["saturated"]
        flags[BEFORE_COLLECTIONS:] = _before_collections(every[BEFORE_COLLECTIONS:])
    if layout == "hls_fmask":
        flags[255] = FLAGS["fill"]
    if layout in RADSAT:
        flags[every & _saturation_mask(layout, family, bands) != 0] |= FLAGS["saturated"]
    if layout in ("bqa", "pixel_qa", "qa_pixel"):
        flags[every & 1 == 1] = FLAGS["fill"]  # whatever else it says of a pixel that is not there
    return flags


def _before_collections(values: NDArray[np.int64]) -> Flags:
    flags = np.zeros(values.shape, np.uint16)
    for bit, flag in HIGH_BEFORE.items():
        flags[(values >> bit) & 3 == 3] |= FLAGS[flag]
    flags[(values >> 1) & 1 == 1] |= FLAGS["dropped"]
    flags[(values >> 2) & 1 == 1] |= FLAGS["terrain"]
    return flags


def _saturation_mask(layout: str, family: Family | None, bands: tuple[str, ...] | None) -> int:
    if bands is None:
        return RADSAT[layout]
    if family is None or family not in SATURATION_BITS:
        raise SchemaError(
            f"found family={family!r}; wanted 'tm', 'etm' or 'oli' to tell which band's "
            f"saturation {layout} speaks of"
        )
    shift = 1 if layout == "radsat_qa" else 0
    bits = SATURATION_BITS[family]
    return sum(1 << (bits[band] + shift) for band in set(bands) if band in bits)


def bits_of(flags: Collection[str]) -> int:
    """Add up the bits of flags.

    Raises
    ------
    SchemaError
        A name that is not in `FLAGS`.
    """
    unknown = [flag for flag in flags if flag not in FLAGS]
    if isinstance(flags, str) or unknown:
        raise SchemaError(
            f"found flags {flags!r}; wanted a sequence of names out of {', '.join(FLAGS)}"
        )
    return sum(FLAGS[flag] for flag in set(flags))


def names(bits: int) -> tuple[str, ...]:
    """Names of the flags set in one pixel."""
    return tuple(flag for flag, bit in FLAGS.items() if bits & bit)


def attributes() -> dict[str, Any]:
    """CF attributes (``flag_masks``, ``flag_meanings``) of a variable that holds these flags."""
    return {
        "long_name": "quality flags",
        "flag_masks": np.array(list(FLAGS.values()), np.uint16),
        "flag_meanings": " ".join(FLAGS),
    }


def observed(
    flags: Flags, *, gaps: Collection[str] = GAPS, dilate: int = 0, edge: int = 0
) -> NDArray[np.bool_]:
    """Tell where the ground was seen.

    Parameters
    ----------
    flags : uint16 ``[... y x]``
        From `decode`, of one layer or several or'ed together.
    gaps : collection of str
        Which flags make a gap. What could not be read is never seen, whatever this says.
    dilate, edge : int
        Widen clouds, cirrus and shadows (those in `gaps`), and SLC gaps (flag ``slc_gap``), by so
        many pixels: some products interpolate across the two or so pixels at a gap's edge.

    Returns
    -------
    bool ``[... y x]``

    Raises
    ------
    SchemaError
        An unknown flag or a negative width.

    Examples
    --------
    >>> observed(decode(np.array([[21824, 22280]]), "qa_pixel"))  # clear land, cloud
    array([[ True, False]])
    """
    if dilate < 0 or edge < 0:
        raise SchemaError(f"found dilate={dilate}, edge={edge}; wanted 0 or more pixels")
    gap = np.uint16(bits_of(gaps) | FLAGS["read_failed"])
    seen = np.asarray(flags & gap == 0)
    soft = bits_of([flag for flag in SOFT if flag in gaps])
    for bits, width in ((soft, dilate), (FLAGS["slc_gap"], edge)):
        if width:
            seen &= ~widened(flags & np.uint16(bits) != 0, width)
    return seen


def widened(mask: NDArray[np.bool_], width: int) -> NDArray[np.bool_]:
    """Pixels within `width` (Euclidean, in pixels) of a true one; bool ``[... y x]``."""
    out = np.empty_like(mask)
    for index in np.ndindex(mask.shape[:-2]):
        plane = mask[index]
        out[index] = plane
        if width and plane.any():
            out[index] = ndimage.distance_transform_edt(~plane) <= width
    return out


def clear(values: NDArray[Any], rule: str) -> NDArray[np.bool_]:
    """Decode a quality band: true where the ground was seen (snow and water count as ground).

    Parameters
    ----------
    values : integer or float, any shape
        Raw flags. In a float array (a decoded ``_FillValue``) NaN is missing.
    rule : str
        From `quality_rule`.

    Returns
    -------
    bool, same shape
    """
    return observed(decode(values, rule))
