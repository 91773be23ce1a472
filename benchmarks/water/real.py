"""What the net makes of a real year without much water: ``python -m benchmarks.water.real``.

The dates of 2000 of series/oakville, fields, forest and a narrow river, without clouds and shadows
of cfmask. Prints, for each window of three months, the share of the pixels that the net and that
counting call seasonal or permanent, and the share that cfmask saw as water on a fifth of the
year's clear dates.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import xarray as xr

import xinpaint
from xinpaint.errors import XinpaintError
from xinpaint.train.data import data_folder

DATES = "series/oakville/*_oakville_2000????.tif"
WET = 0.2


def cube(folder: Path) -> tuple[xr.Dataset, np.ndarray]:
    """Red, nir and swir1 with what cfmask calls clear, and its codes ``[t y x]``."""
    import rasterio

    files = sorted(folder.glob(DATES), key=lambda path: path.stem[-8:])
    ds = xinpaint.open_scenes(files)[["red", "nir08", "swir16"]].compute()
    codes = []
    for path in files:
        with rasterio.open(path.with_name(f"{path.stem}_qa.tif")) as source:
            codes.append(source.read(1))
    return ds, np.stack(codes)


def main() -> int:
    """Print the table."""
    try:
        ds, codes = cube(data_folder())
    except XinpaintError as wrong:
        print(f"error: {wrong}", file=sys.stderr)
        return 1
    clear = ds.red.notnull().copy(data=codes <= 1)
    told = {
        method: ds.water.seasonality(method=method, scale=1e-4, observed=clear)
        for method in ("unet3d", "count")
    }
    names = ["seasonal", "permanent"]
    print(f"{'window from':12}" + "".join(f"{m + ' ' + n:>18}" for m in told for n in names))
    for k, month in enumerate(told["count"].time.values):
        shares = [
            float((found.seasonality[k].values == code).mean())
            for found in told.values()
            for code in (1, 2)
        ]
        print(f"{str(month)[:7]:12}" + "".join(f"{share:18.1%}" for share in shares))
    wet = (codes == 1).sum(0) > WET * (codes <= 1).sum(0)
    print(f"cfmask: water on more than {WET:.0%} of the clear dates: {wet.mean():.2%}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
