"""A look into files before the cube is planned: what items leave unsaid, what cannot be read."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from xinpaint.core.notes import tell
from xinpaint.errors import DataError, RefusedError
from xinpaint.io.grid import frame_of_file
from xinpaint.io.items import Scene, Source
from xinpaint.io.reading import Access, read


def known(found: Sequence[Scene], access: Access) -> list[Scene]:
    """Complete what items do not say of their files: dtype from one, position from each.

    Raises
    ------
    DataError
        A file that would have to be looked into and cannot be.
    """
    dtypes: dict[str, Any] = {}
    done = []
    for scene in found:
        bands = {}
        for name, source in scene.bands.items():
            frame, packing = source.frame, source.packing
            if frame is None or (packing.dtype is None and name not in dtypes):
                header = read(source.asset, access, _header)
                dtypes.setdefault(name, header)
                frame = frame or header["frame"]
            if packing.dtype is None:
                packing = _told(source, dtypes[name])
            bands[name] = replace(source, frame=frame, packing=packing)
        done.append(replace(scene, bands=bands))
    return done


def _told(source: Source, header: dict[str, Any]) -> Any:
    packing = source.packing
    nodata = header["nodata"] if packing.nodata is None else packing.nodata
    if packing.scale is None and (header["scale"], header["offset"]) != (1.0, 0.0):
        packing = replace(packing, scale=header["scale"], offset=header["offset"])
    return replace(packing, dtype=header["dtype"], nodata=nodata)


def _header(image: Any) -> dict[str, Any]:
    frame = frame_of_file(image)
    if not frame.crs:
        raise DataError("the file has no coordinate system: leave it out, or mend the file")
    return {
        "dtype": image.dtypes[0],
        "nodata": image.nodata,
        "scale": image.scales[0],
        "offset": image.offsets[0],
        "frame": frame,
    }


def readable(groups: Sequence[Sequence[Scene]], access: Access) -> list[list[Scene]]:
    """Keep the dates whose files can all be opened; a warning names each of the others.

    Raises
    ------
    DataError
        No date is left.
    """

    def trouble(group: Sequence[Scene]) -> str | None:
        try:
            for scene in group:
                for source in scene.bands.values():
                    read(source.asset, access, lambda image: None)
        except RefusedError:
            raise
        except DataError as error:
            return str(error)
        return None

    with ThreadPoolExecutor(8) as pool:
        told = list(pool.map(trouble, groups))
    for group, text in zip(groups, told, strict=True):
        if text is not None:
            day = group[0].when.astype("datetime64[D]")
            tell(f"the date {day} is left out: {text}")
    left = [list(group) for group, text in zip(groups, told, strict=True) if text is None]
    if not left:
        raise DataError(f"no date is left: none of {len(groups)} could be read; {told[0]}")
    return left
