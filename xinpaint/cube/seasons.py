"""Labels meet arrays: classes of water by a net that looks at some months together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from dask.base import tokenize
from numpy.typing import NDArray

from xinpaint.core.task import Task
from xinpaint.cube import spectra as bands
from xinpaint.cube.elementwise import each, full_like, stack
from xinpaint.cube.extents import reflectance_of
from xinpaint.cube.lazily import merge
from xinpaint.cube.months import months_of, starts
from xinpaint.cube.schema import Mask
from xinpaint.cube.water import AUTO, SEASONALITY, Made, check_window, first_months, label
from xinpaint.methods.base import Classifier
from xinpaint.water.extent import NO_DATA, Rule
from xinpaint.water.years import BANDS

CLASSES = ("not_water", "seasonal", "permanent")


def seasonality(
    obj: xr.Dataset | xr.DataArray,
    classifier: Classifier,
    rule: Rule = AUTO,
    *,
    window: int = 3,
    step: int = 1,
    observed: Mask = None,
    origin: tuple[int, int] = (0, 0),
) -> xr.Dataset:
    """Permanent, seasonal or no water over the year, as some months of it tell a net.

    The dates of a month make one image: in each band the median of what was seen. What a month
    did not see is shown to the net as unseen; a month without dates is not shown at all. What no
    month of a window saw is no data.

    Parameters
    ----------
    obj : Dataset or DataArray
        A cube as for `inpaint`, filled or not, with red, nir and swir1 and a time coordinate in
        ascending order.
    classifier : Classifier
    rule : Rule
        Its scale and offset only: what makes the bands reflectance.
    window : int
        Months in a window, 1 to 12.
    step : int
        Months from one window to the next.
    observed : bool DataArray or Dataset, optional
        As in `xinpaint.cube.water.index`.
    origin : (int, int)
        ``(y, x)`` of the first pixel in the whole cube, where `obj` is a part of one in memory.

    Returns
    -------
    Dataset
        ``seasonality`` (time, y, x), uint8: 0 not water, 1 seasonal, 2 permanent, 255 no data;
        ``probability`` (class, time, y, x), float32, NaN where there is no data; ``months_seen``,
        uint8. Lazy where `obj` is.

    Raises
    ------
    SchemaError
        Where bands or their scale are missing, or dates are missing, not in order, or too few.
    MethodError
        Where window or step is not one of those above.
    """
    check_window(window, step)
    spectra = bands.read_bands(obj, BANDS, rule, observed=observed)
    months = months_of(spectra)
    begins = starts(spectra, months, window, step)
    images = _composites(reflectance_of(spectra), months)
    seen = [each(_seen, image[0], image[1], image[2], dtype=np.uint8) for image in images]
    offsets = [begin - begins[0] for begin in begins]
    counted = stack([sum(seen[o + 1 : o + window], seen[o]) for o in offsets])
    dated = np.isin(np.arange(len(images)) + months[0], months)
    shown = [_shown(dated, offset, window) for offset in offsets]
    raw = stack(_classify(images, classifier, shown, origin), axis=1)
    probability = stack([each(_known, plane, counted, dtype=np.float32) for plane in raw])
    classes = each(_likeliest, *raw, counted, dtype=np.uint8)
    how = {
        "method": type(classifier).__name__,
        "window_months": window,
        "step_months": step,
        "references": "Pekel et al. 2016; Cicek et al. 2016",
        **(getattr(classifier, "attrs", None) or {}),
    }
    made: Made = {
        "seasonality": (classes, {"long_name": "water seasonality", **how, **SEASONALITY}),
        "months_seen": (counted, {"long_name": "months of the window that were seen"}),
    }
    result = label(spectra, made, first_months(spectra, begins))
    return _with_probability(result, probability)


def _composites(values: Any, months: NDArray[np.int64]) -> list[Any]:
    """One image ``[b y x]`` for each month from the first to the last, NaN where unseen."""
    made = []
    for month in range(int(months[0]), int(months[-1]) + 1):
        which = np.flatnonzero(months == month)
        if len(which) == 0:
            made.append(full_like(values[0], np.nan))
        elif isinstance(values, np.ndarray):
            found = values[which] if len(which) > 1 else values[which[0]][None]  # not a copy
            made.append(_median(found))
        else:
            part = values[which].rechunk({0: -1, 1: -1})
            meta = np.empty((0, 0, 0), np.float32)
            made.append(part.map_blocks(_median, drop_axis=0, dtype=np.float32, meta=meta))
    return made


def _shown(dated: NDArray[np.bool_], offset: int, window: int) -> NDArray[np.int64]:
    """Months of a window that have dates; its first one where none has, for there must be one."""
    found = offset + np.flatnonzero(dated[offset : offset + window])
    return found if len(found) else np.array([offset])


def _median(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Median of the dates ``[t b y x]`` that saw a pixel in every band."""
    if len(values) == 1:
        return np.asarray(values[0])
    values = np.where(np.isfinite(values).all(1, keepdims=True), values, np.float32(np.nan))
    order = np.sort(values, axis=0)  # NaN comes last
    dates = np.isfinite(order).sum(0, keepdims=True)
    middle = [
        np.take_along_axis(order, k, 0)[0] for k in (np.maximum(dates - 1, 0) // 2, dates // 2)
    ]
    return np.asarray((middle[0] + middle[1]) / 2, np.float32)


def _seen(*planes: NDArray[np.float32]) -> NDArray[np.uint8]:
    return np.asarray(np.isfinite(planes).all(0), np.uint8)


def _known(plane: NDArray[np.float32], seen: NDArray[np.uint8]) -> NDArray[np.float32]:
    return np.where(seen > 0, plane, np.float32(np.nan))


def _likeliest(*planes: NDArray[Any]) -> NDArray[np.uint8]:
    *raw, seen = planes
    made = np.asarray(np.argmax(raw, axis=0), np.uint8)
    made[seen == 0] = NO_DATA
    return made


def _classify(
    images: Sequence[Any],
    classifier: Classifier,
    windows: Sequence[NDArray[np.int64]],
    origin: tuple[int, int],
) -> list[Any]:
    """Probabilities ``[class y x]`` of each window of months, lazily where an image is lazy."""
    if all(isinstance(image, np.ndarray) for image in images):
        shown = (np.stack([images[month] for month in months]) for months in windows)
        return [classifier.classify(_task(window, origin)) for window in shown]
    import dask.array as da

    volume = stack(images).rechunk({1: -1})
    halo = (0, 0, classifier.halo.y, classifier.halo.x)
    chunks = merge(volume.chunks, volume.shape, halo)
    volume = volume.rechunk((volume.chunks[0], volume.chunks[1], *chunks[2:]))
    depth = {
        axis: 0 if len(chunks[axis]) == 1 or not halo[axis] else halo[axis] for axis in range(4)
    }
    padded = da.overlap.overlap(volume, depth, boundary="none")
    edges = tuple(tuple(np.cumsum((0, *sizes)).tolist()) for sizes in chunks[2:])
    made = []
    for months in windows:
        part = padded[months].rechunk({0: -1})
        token = tokenize(classifier, part.name, depth, edges)
        block = da.map_blocks(
            _block,
            part,
            classifier=classifier,
            depth=(depth[2], depth[3]),
            edges=edges,
            dtype=np.float32,
            meta=np.empty((0,) * 4, np.float32),
            chunks=((len(CLASSES),), (1,), *chunks[2:]),
            name=f"xinpaint-classify-{token}",
        )
        made.append(block[:, 0])
    return made


def _block(
    images: NDArray[np.float32],
    classifier: Classifier,
    depth: tuple[int, int],
    edges: tuple[tuple[int, ...], ...],
    block_id: tuple[int, ...],
) -> NDArray[np.float32]:
    """Probabilities ``[class 1 y x]`` of the core of a padded block ``[t b y x]``."""
    core, origin = [], []
    for reach, stops, place in zip(depth, edges, block_id[2:], strict=True):
        before = min(reach, stops[place])
        origin.append(stops[place] - before)
        core.append(slice(before, before + stops[place + 1] - stops[place]))
    made = classifier.classify(_task(images, (origin[0], origin[1])))
    return made[:, None, core[0], core[1]]


def _task(images: NDArray[np.float32], origin: tuple[int, int]) -> Task:
    """A task of months ``[t b y x]`` with NaN where unseen."""
    seen = np.broadcast_to(np.isfinite(images).all(1, keepdims=True), images.shape)
    nothing = np.broadcast_to(np.False_, images.shape)  # no pixel is a target: all are answered
    return Task(images, seen, nothing, np.arange(len(images), dtype=float), origin)


def _with_probability(made: xr.Dataset, data: Any) -> xr.Dataset:
    classes = made["seasonality"]
    band = xr.Variable(
        ("class", *classes.dims),
        data,
        {"long_name": "probability of each class of water seasonality", "units": "1"},
        {k: v for k, v in classes.encoding.items() if k == "grid_mapping"},
    )
    if "grid_mapping" in classes.attrs:
        band.attrs["grid_mapping"] = classes.attrs["grid_mapping"]
    names = xr.Variable("class", list(CLASSES), {"long_name": "class of water seasonality"})
    classes.attrs["ancillary_variables"] = "probability months_seen"
    return made.assign_coords({"class": names}).assign(probability=band)
