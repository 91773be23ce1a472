"""Gap patterns of real scenes: from a labelled cube to windows that can be laid over others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xinpaint.core import banks
from xinpaint.cube import masking, schema
from xinpaint.cube.schema import Group, Mask
from xinpaint.errors import DataError, SchemaError

#: Metres of a degree of latitude: what is smaller than this per pixel is one of degrees.
_DEGREE, _SMALL = 111_320.0, 0.5


def from_scene(
    scene: xr.Dataset | xr.DataArray | NDArray[np.bool_],
    *,
    side: int = 256,
    stride: int = 64,
    resolution: float | None = None,
    observed: Mask = None,
) -> NDArray[np.bool_]:
    """Cut windows of SLC gaps out of real scenes after 2003-05-31.

    The gaps are told from clouds and from the land beside the swath by
    `xinpaint.masks.slc_gaps`. A window is kept where gaps take 3 to 60 % of it and at most 5 % are
    missing for another reason. Pondaven et al. 2022 (arXiv 2205.12407) lay such windows over intact
    scenes: `xinpaint.masks.transplant` does so, `xinpaint.masks.save_bank` keeps them.

    Parameters
    ----------
    scene : Dataset, DataArray or bool array ``[... y x]``
        A cube as ``ds.inpaint`` takes it, every date of which is looked at; or what is missing, as
        booleans (True = missing) with y and x last.
    side, stride : int
        Of the windows, in pixels; side a multiple of 8. They overlap where `stride` is the smaller.
    resolution : float, optional
        Height of a pixel in metres; from the coordinate y where not given, else 30.
    observed : bool DataArray, Dataset or bool, optional
        True where a pixel was observed, as in `xinpaint.cube.inpaint.inpaint`.

    Returns
    -------
    bool ``[n side side]``
        True = gap.

    Raises
    ------
    SchemaError
        Where the scene is no cube, or smaller than a window.
    DataError
        Where no window has SLC gaps.

    Examples
    --------
    >>> from xinpaint.core.masks import scan_lines
    >>> from_scene(scan_lines((300, 300), seed=0, position=0.9)).shape[1:]
    (256, 256)
    """
    if side < 8 or side % 8 or stride < 1:
        raise SchemaError(f"side = {side}, stride = {stride}: use a side that is a multiple of 8")
    high = resolution or _resolution(scene)
    found, seen = [], 0
    for plane in _missing(scene, observed):
        if min(plane.shape) < side:
            raise SchemaError(
                f"the scene is {plane.shape[0]} x {plane.shape[1]} pixels; wanted {side} x {side} "
                "or more, or a smaller side="
            )
        found.append(banks.windows(plane, side=side, stride=stride, resolution=high))
        seen += 1
    made = np.concatenate(found)
    if not len(made):
        raise DataError(
            f"found no window of {side} x {side} pixels with SLC gaps in {seen} dates; give scenes "
            "of Landsat 7 after 2003-05-31, the fill of their quality band as observed=, or a "
            "smaller side="
        )
    return made


def _missing(scene: Any, observed: Mask) -> Iterator[NDArray[np.bool_]]:
    """What each date lacks in any band, bool ``[y x]``."""
    if isinstance(scene, xr.DataArray) and scene.dtype == bool:
        axes = schema.find_axes(schema.as_dataset(scene))
        scene = scene.transpose(..., axes["y"], axes["x"]).values
    if isinstance(scene, np.ndarray):
        if scene.dtype != bool or scene.ndim < 2:
            raise SchemaError(
                f"found an array of {scene.dtype} with {scene.ndim} dims; wanted booleans "
                "[... y x], True = missing, such as values == nodata"
            )
        yield from scene.reshape(-1, *scene.shape[-2:])
        return
    for group in schema.read(scene, observed=observed).groups:
        yield from (_of_date(group, date) for date in range(len(group.days)))


def _of_date(group: Group, date: int) -> NDArray[np.bool_]:
    lost = []
    for layer in group.layers:
        values = np.asarray(layer.values[date])
        said = None if layer.observed is None else np.asarray(layer.observed[date])
        lost.append(~masking.observed(values, said, layer.nodata).all(0))
    return np.asarray(np.logical_or.reduce(lost), np.bool_)


def _resolution(scene: Any) -> float:
    """Height of a pixel in metres by the coordinate y; 30 where there is none."""
    if isinstance(scene, np.ndarray):
        return 30.0
    dataset = schema.as_dataset(scene)
    name = schema.find_axes(dataset)["y"]
    if name not in dataset.coords or dataset.sizes[name] < 2:
        return 30.0
    y = dataset[name].values[:2].astype(np.float64)
    high = abs(float(y[1] - y[0]))
    return 30.0 if high == 0 else high * _DEGREE if high < _SMALL else high
