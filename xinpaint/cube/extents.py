"""From bands to an index; from there, by a fixed threshold or Otsu's, to wet, dry or unknown."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xinpaint.cube.elementwise import each, stack
from xinpaint.cube.masking import observed
from xinpaint.cube.spectra import Scale, Spectra
from xinpaint.errors import SchemaError
from xinpaint.water.extent import BINS, Rule, classify, histogram, otsu
from xinpaint.water.indices import INDICES

Span = tuple[float, float]
#: Reflectance is below this on the mean of any block, glint and clouds too; percent and digital
#: numbers are not.
BRIGHTEST = 10.0


def index_of(spectra: Spectra) -> Any:
    """Index ``[t y x]`` of the spectra, lazy where they are."""
    layers = spectra.layers
    values = [layer.values[:, 0] for layer in layers]
    masks = [layer.observed[:, 0] for layer in layers if layer.observed is not None]
    block = partial(
        _index_block,
        name=spectra.index,
        nodata=tuple(layer.nodata for layer in layers),
        masked=tuple(layer.observed is not None for layer in layers),
        scales=spectra.scales,
    )
    return each(block, *values, *masks, dtype=np.float32)


def extent_of(spectra: Spectra, rule: Rule) -> Any:
    """Extent ``[t y x]`` of the spectra, uint8, lazy where they are."""
    return classified(index_of(spectra), rule.threshold, INDICES[spectra.index].span)


def _index_block(
    *arrays: NDArray[Any],
    name: str,
    nodata: Sequence[float | None],
    masked: Sequence[bool],
    scales: Sequence[Scale],
) -> NDArray[np.float32]:
    reflectance = INDICES[name].reflectance
    planes = _planes(arrays, nodata, masked, scales, name if reflectance else None)
    made: NDArray[np.float32] = INDICES[name].function(*planes)
    return made


def reflectance_of(spectra: Spectra) -> Any:
    """Reflectance ``[t b y x]`` of the spectra, float32, lazy where they are; NaN is missing."""
    made = []
    for layer, scale in zip(spectra.layers, spectra.scales, strict=True):
        block = partial(
            _reflectance_block,
            nodata=(layer.nodata,),
            masked=(layer.observed is not None,),
            scales=(scale,),
        )
        masks = [] if layer.observed is None else [layer.observed[:, 0]]
        made.append(each(block, layer.values[:, 0], *masks, dtype=np.float32))
    return stack(made, axis=1)


def _reflectance_block(*arrays: NDArray[Any], **told: Any) -> NDArray[np.float32]:
    return _planes(arrays, told["nodata"], told["masked"], told["scales"], "the net")[0]


def _planes(
    arrays: Sequence[NDArray[Any]],
    nodata: Sequence[float | None],
    masked: Sequence[bool],
    scales: Sequence[Scale],
    strict: str | None,
) -> list[NDArray[np.float32]]:
    """One scaled plane a band, NaN where missing; `strict` names what needs true reflectance."""
    masks = iter(arrays[len(nodata) :])
    planes = []
    for value, missing, has, scale in zip(arrays, nodata, masked, scales, strict=False):
        unseen = ~observed(value, next(masks) if has else None, missing)
        if scale.doubtful:
            _check_unscaled(value[~unseen], scale)
        with np.errstate(over="ignore", invalid="ignore"):  # what is unseen can be anything
            plane = value.astype(np.float32)
            plane *= np.float32(scale.factor)
            plane += np.float32(scale.offset)
        np.copyto(plane, np.float32(np.nan), where=unseen)
        if strict and _brightness(plane, unseen) > BRIGHTEST:
            raise SchemaError(
                f"{strict} needs reflectance of 0 to 1, but a band is "
                f"{plane[~unseen].mean():.4g} on "
                "average: pass scale= and offset= (1e-4 and 0 for reflectance x 10,000)"
            )
        planes.append(plane)
    return planes


def _check_unscaled(seen: NDArray[Any], scale: Scale) -> None:
    """Raise SchemaError where floats whose attributes say how to scale them look scaled."""
    if seen.size and np.abs(seen).max() <= 2 and np.any(seen != np.rint(seen)):
        raise SchemaError(
            f"a band's attrs say scale_factor={scale.factor:g} and add_offset={scale.offset:g}, "
            f"but its values ({seen.min():.4g} to {seen.max():.4g}) look like reflectance already: "
            "drop them from its attrs, or pass scale=1, offset=0"
        )


def _brightness(plane: NDArray[np.float32], unseen: NDArray[np.bool_]) -> float:
    """Mean size of what is seen, 0 where nothing is."""
    size = np.abs(plane)
    np.copyto(size, np.float32(0), where=unseen)
    return float(size.sum()) / max(unseen.size - int(unseen.sum()), 1)


def classified(index: Any, threshold: float | str, span: Span) -> Any:
    """Extent of an index ``[t y x]``, lazy where it is; the same whatever its chunks.

    Parameters
    ----------
    index : float32 numpy or dask array ``[t y x]``
    threshold : float or "otsu"
        Otsu's method looks at each date whole.
    span : (float, float)
        Ends of the histogram.

    Returns
    -------
    uint8 ``[t y x]``
    """
    if isinstance(index, np.ndarray):
        if threshold != "otsu":
            return classify(index, float(threshold))
        return classify(index, _thresholds(_histograms(index, span)[:, 0, 0], span)[:, None])
    import dask.array as da

    meta = np.empty((0, 0, 0), np.uint8)
    if threshold != "otsu":
        return da.map_blocks(classify, index, float(threshold), dtype=np.uint8, meta=meta)
    t, *blocks = index.chunks
    pieces = da.map_blocks(
        _histograms,
        index,
        span,
        chunks=(t, *((1,) * len(sizes) for sizes in blocks), (BINS,)),
        new_axis=3,
        dtype=np.int64,
        meta=np.empty((0, 0, 0, 0), np.int64),
    )
    found = da.map_blocks(
        _thresholds,
        pieces.sum((1, 2)),
        span,
        chunks=(t, (1,)),
        dtype=np.float64,
        meta=np.empty((0, 0)),
    )
    return da.map_blocks(
        classify, index, found[:, :, None], chunks=index.chunks, dtype=np.uint8, meta=meta
    )


def _histograms(index: NDArray[np.float32], span: Span) -> NDArray[np.int64]:
    """One histogram a date, ``[t 1 1 bins]``."""
    return np.stack([histogram(plane, span) for plane in index])[:, None, None]


def _thresholds(histograms: NDArray[np.int64], span: Span) -> NDArray[np.float64]:
    """One threshold a date, ``[t 1]``."""
    return np.array([[otsu(counts, span)] for counts in histograms])
