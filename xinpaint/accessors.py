"""``ds.inpaint``: real signatures that only point at the rooms where the work is done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import xarray as xr

from xinpaint.accessors_neural import Neural
from xinpaint.accessors_plot import Pictured
from xinpaint.accessors_time import ThroughTime, fill
from xinpaint.suggestions import suggesting

if TYPE_CHECKING:
    from xinpaint.cube.schema import Mask
    from xinpaint.methods.base import Filler


def _fillers(methods: str | Sequence[str] | Mapping[str, Filler]) -> Mapping[str, Filler]:
    if isinstance(methods, Mapping):
        return methods
    from xinpaint.cube.score_masks import check_names
    from xinpaint.io.weights import filler

    return {name: filler(name) for name in check_names(methods)}


@xr.register_dataset_accessor("inpaint")
@xr.register_dataarray_accessor("inpaint")
@suggesting("ds.inpaint")
class Inpaint(Neural, ThroughTime, Pictured):
    """Gap filling for a cube of bands.

    The cube is a Dataset with one variable a band and dims (time, y, x), time optional, or a
    DataArray ((time,) band, y, x). Every method returns a plain Dataset, lazy where the cube is,
    with ``<band>``, ``<band>_provenance`` and, where the method has one, ``<band>_std``.

    All methods take `observed` (true where a pixel was observed; without it a quality variable,
    nodata and NaN decide) and `where` (which missing pixels to fill; without it those that
    observed pixels surround). Both are bool, on the cube's own grid.
    """

    def __init__(self, obj: xr.Dataset | xr.DataArray) -> None:
        self._obj = obj

    def navier_stokes(
        self, *, radius: float = 5, observed: Mask = None, where: Mask = None
    ) -> xr.Dataset:
        """Fill by letting isophotes flow into the gap (OpenCV; Bertalmio et al. 2001).

        Parameters
        ----------
        radius : float
            Neighbourhood of one step, in pixels.
        observed, where : bool DataArray or Dataset, optional
            See the class.

        Raises
        ------
        SchemaError, MethodError

        Examples
        --------
        >>> filled = ds.inpaint.navier_stokes(radius=3)  # doctest: +SKIP
        """
        return fill(self._obj, "navier_stokes", {"radius": radius}, observed, where)

    def telea(self, *, radius: float = 5, observed: Mask = None, where: Mask = None) -> xr.Dataset:
        """Fill by fast marching from the gap's edge inwards (OpenCV; Telea 2004).

        Parameters
        ----------
        radius : float
            Neighbourhood of one step, in pixels.
        observed, where : bool DataArray or Dataset, optional
            See the class.

        Raises
        ------
        SchemaError, MethodError

        Examples
        --------
        >>> filled = ds.inpaint.telea(radius=9)  # doctest: +SKIP
        """
        return fill(self._obj, "telea", {"radius": radius}, observed, where)

    def fillnodata(
        self, *, max_distance: float = 100, observed: Mask = None, where: Mask = None
    ) -> xr.Dataset:
        """Fill by inverse distances, searched in four directions (GDAL, through rasterio).

        Parameters
        ----------
        max_distance : float
            How far to search for context, in pixels.
        observed, where : bool DataArray or Dataset, optional
            See the class.

        Raises
        ------
        SchemaError, MethodError

        Examples
        --------
        >>> filled = ds.inpaint.fillnodata(max_distance=50)  # doctest: +SKIP
        """
        options = {"max_distance": max_distance}
        return fill(self._obj, "fillnodata", options, observed, where)

    def biharmonic(self, *, observed: Mask = None, where: Mask = None) -> xr.Dataset:
        """Fill with the smoothest surface that fits the gap's edge (scikit-image).

        Parameters
        ----------
        observed, where : bool DataArray or Dataset, optional
            See the class.

        Raises
        ------
        SchemaError

        Examples
        --------
        >>> filled = ds.inpaint.biharmonic()  # doctest: +SKIP
        """
        return fill(self._obj, "biharmonic", {}, observed, where)

    def gaps(self, *, observed: Mask = None) -> xr.Dataset:
        """Find what is missing, lazily: a bool Dataset of the bands.

        Parameters
        ----------
        observed : bool DataArray or Dataset, optional
            See the class.

        Raises
        ------
        SchemaError

        Examples
        --------
        >>> ds.inpaint.gaps().mean()  # the missing fraction of each band  # doctest: +SKIP
        """
        from xinpaint.cube.inpaint import gaps

        return gaps(self._obj, observed=observed)

    def interval(self, level: float = 0.9) -> xr.Dataset:
        """Ends of the interval that should hold a share of the truth, of a filled cube.

        A std is scaled so that the band ± 1.645 std holds 90 %. Fills err with longer tails than a
        Gaussian does: other intervals are those of Student's t with four degrees of freedom.

        Parameters
        ----------
        level : float
            The share, between 0 and 1.

        Returns
        -------
        Dataset
            ``<band>_lower`` and ``<band>_upper``, float, in the band's unit: the band itself where
            it was observed, NaN where nothing is known.

        Raises
        ------
        SchemaError
            Where no band has a standard deviation.
        MethodError
            Where `level` is not between 0 and 1.

        Examples
        --------
        >>> half = filled.inpaint.interval(0.5)  # doctest: +SKIP
        """
        from xinpaint.cube.interval import interval

        return interval(self._obj, level)

    def score(
        self,
        methods: str | Sequence[str] | Mapping[str, Filler],
        *,
        masks: str | Sequence[str] = ("scan_lines", "clouds"),
        seed: int = 0,
        observed: Mask = None,
    ) -> xr.Dataset:
        """Hide observed pixels of this cube under realistic gaps, and score methods on them.

        Of the cube at most 512 by 512 pixels of three dates are scored. Methods are compared on
        the hidden pixels that every one of them answered: a method that answers the easy ones
        alone raises the figures of all, as `compared` tells.

        Parameters
        ----------
        methods : str, sequence of str, or mapping of name to Filler
            Names of methods with their default options, or fillers of your own. Both together as
            one mapping, in which ``xinpaint.io.weights.filler("telea")`` is a method by its name.
        masks : sequence of {"scan_lines", "clouds"}
            Kinds of gap to hide pixels under.
        seed : int
            Same seed, same gaps.
        observed : bool DataArray or Dataset, optional
            See the class.

        Returns
        -------
        Dataset
            psnr, ssim, mae, crps, coverage (of the 90 % interval), coverage50, coverage95,
            answered and compared over (method, mask, variable). Select a method with
            ``.sel({"method": "telea"})``: xarray keeps ``sel(method=)`` to itself.

        Raises
        ------
        SchemaError, MethodError

        Examples
        --------
        >>> ds.inpaint.score(["convnp", "telea"]).psnr.to_series()  # doctest: +SKIP
        """
        from xinpaint.cube.score import score

        return score(self._obj, _fillers(methods), masks=masks, seed=seed, observed=observed)
