"""``ds.water``: real signatures that only point at the rooms where the work is done."""

from __future__ import annotations

from os import PathLike
from typing import TYPE_CHECKING, Literal

import xarray as xr

from xinpaint.accessors_plot import Pictured
from xinpaint.suggestions import suggesting

if TYPE_CHECKING:
    from xinpaint.cube.schema import Mask

Name = Literal["auto", "ndwi", "mndwi", "red_swir", "awei_nsh", "awei_sh"]
Threshold = float | Literal["otsu"]


@xr.register_dataset_accessor("water")
@xr.register_dataarray_accessor("water")
@suggesting("ds.water")
class Water(Pictured):
    """Water of a cube of bands, filled or not.

    The cube is a Dataset with one variable a band and dims (time, y, x), time optional, or a
    DataArray ((time,) band, y, x). Bands are found by name: blue, green, red, nir (nir08), swir1
    (swir16), swir2 (swir22). Every method returns a plain Dataset, lazy where the cube is.

    All methods but `area` take

    - `scale` and `offset`: reflectance is ``value * scale + offset``. Without them what the cube
      carries (`scale_factor`, `add_offset`) is applied, once.
    - `observed`, bool, on the cube's own grid: true where a pixel may be used. Without it
      ``<band>_provenance`` decides (observed or filled), else a quality variable, nodata and NaN.

    and, where water is told from land,

    - `index`: "auto" is awei_sh where the bands and their scale are there, else mndwi, ndwi or
      red_swir.
    - `threshold`: water is above it; "otsu" finds one for each date.
    """

    def __init__(self, obj: xr.Dataset | xr.DataArray) -> None:
        self._obj = obj

    def index(
        self,
        name: Name = "auto",
        *,
        scale: float | None = None,
        offset: float | None = None,
        observed: Mask = None,
    ) -> xr.Dataset:
        """Water index of every date, float32; NaN where a band is missing.

        Parameters
        ----------
        name : {"auto", "ndwi", "mndwi", "red_swir", "awei_nsh", "awei_sh"}
            Also the name of the variable.
        scale, offset, observed
            See the class.

        Raises
        ------
        SchemaError, MethodError

        Examples
        --------
        >>> ds.water.index("mndwi").mndwi.plot()  # doctest: +SKIP
        """
        from xinpaint.cube import water
        from xinpaint.water.extent import Rule

        rule = Rule(name, scale=scale, offset=offset)
        return water.index(self._obj, rule, observed=observed)

    def extent(
        self,
        *,
        index: Name = "auto",
        threshold: Threshold = 0.0,
        scale: float | None = None,
        offset: float | None = None,
        observed: Mask = None,
    ) -> xr.Dataset:
        """Water or not on every date: ``extent``, uint8, 0 not water, 1 water, 255 no data.

        Parameters
        ----------
        index, threshold, scale, offset, observed
            See the class.

        Raises
        ------
        SchemaError, MethodError

        Examples
        --------
        >>> ds.water.extent(index="ndwi", threshold="otsu").water.area()  # doctest: +SKIP
        """
        from xinpaint.cube import water
        from xinpaint.water.extent import Rule

        rule = Rule(index, threshold, scale, offset)
        return water.extent(self._obj, rule, observed=observed)

    def occurrence(
        self,
        *,
        index: Name = "auto",
        threshold: Threshold = 0.0,
        scale: float | None = None,
        offset: float | None = None,
        observed: Mask = None,
    ) -> xr.Dataset:
        """Share of the dates that saw a pixel on which it was water: ``occurrence``, float32.

        Parameters
        ----------
        index, threshold, scale, offset, observed
            See the class.

        Raises
        ------
        SchemaError, MethodError

        Examples
        --------
        >>> ds.water.occurrence().occurrence.plot()  # doctest: +SKIP
        """
        from xinpaint.cube import water
        from xinpaint.water.extent import Rule

        rule = Rule(index, threshold, scale, offset)
        return water.occurrence(self._obj, rule, observed=observed)

    def month_counts(
        self,
        *,
        index: Name = "auto",
        threshold: Threshold = 0.0,
        scale: float | None = None,
        offset: float | None = None,
        observed: Mask = None,
    ) -> xr.Dataset:
        """Dates of each month of the year, over all years: ``wet`` and ``seen``, uint16.

        Parameters
        ----------
        index, threshold, scale, offset, observed
            See the class.

        Raises
        ------
        SchemaError, MethodError

        Examples
        --------
        >>> ds.water.month_counts().seen.sum("month").plot()  # doctest: +SKIP
        """
        from xinpaint.cube import water
        from xinpaint.water.extent import Rule

        rule = Rule(index, threshold, scale, offset)
        return water.month_counts(self._obj, rule, observed=observed)

    def seasonality(
        self,
        *,
        window: int = 3,
        step: int = 1,
        method: Literal["unet3d", "count"] = "unet3d",
        weights: str | PathLike[str] | None = None,
        device: str = "auto",
        scale: float | None = None,
        offset: float | None = None,
        observed: Mask = None,
    ) -> xr.Dataset:
        """Permanent, seasonal or no water, from each window of some months.

        Parameters
        ----------
        window : int
            Months in a window, 1 to 12.
        step : int
            Months from one window to the next.
        method : {"unet3d", "count"}
            "unet3d", a 3-D U-Net, says from red, nir and swir1 (as reflectance) what each pixel
            is over the year of which it sees these months; it learned from simulated years, and on
            bare fields it may see seasonal water where none is: compare. "count" counts
            the wet months among those that were seen; for another index or threshold than the
            default, count what `extent` gave:
            ``ds.water.extent(index="mndwi").water.seasonality(method="count")``.
        weights : str or path, optional
            For "unet3d": a name of shipped weights, or the path of a ``.safetensors`` file.
        device : {"auto", "cpu", "cuda", "cuda:N"}
            Where the net runs.
        scale, offset, observed
            See the class.

        Returns
        -------
        Dataset
            ``seasonality`` (time, y, x), uint8: 0 not water, 1 seasonal, 2 permanent, 255 no data;
            ``months_seen``, uint8; and from "unet3d" ``probability`` (class, time, y, x),
            float32. ``time`` is the first month of each window.

        Raises
        ------
        SchemaError, MethodError, WeightsError, DeviceError

        Examples
        --------
        >>> ds.inpaint.convnp().water.seasonality()  # doctest: +SKIP
        """
        from xinpaint.cube import seasons, water
        from xinpaint.errors import MethodError
        from xinpaint.water.extent import Rule

        if method not in ("unet3d", "count"):
            raise MethodError(f"method={method!r}; wanted 'unet3d' or 'count'")
        rule, windows = Rule(scale=scale, offset=offset), {"window": window, "step": step}
        if method == "count":
            return water.seasonality(self._obj, rule, **windows, observed=observed)
        from xinpaint.io.weights import classifier

        ready = classifier(weights, device)
        given = (self._obj, ready, rule)
        return seasons.seasonality(*given, window=window, step=step, observed=observed)

    def area(self) -> xr.Dataset:
        """Area of each class in km² of what `seasonality` or `extent` gave, for each time.

        Raises
        ------
        SchemaError

        Examples
        --------
        >>> ds.water.seasonality().water.area().area.to_pandas()  # doctest: +SKIP
        """
        from xinpaint.cube.area import area

        return area(self._obj)
