"""Lakes that fill: seasonality of the Menindee Lakes, straight from gappy dates and after filling.

Told by counting wet months and by the 3-D U-Net. Also checks the water of one Michigan scene
against its Fmask, for every index. Needs the data folder:
`XINPAINT_DATA=... python examples/water_menindee.py [folder] [method]`.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import rioxarray
import xarray as xr

import xinpaint  # noqa: F401  (registers .inpaint and .water)
from xinpaint.plot_water import seasonality
from xinpaint.water.indices import INDICES

#: Who tells the classes, and how the picture's name ends.
TELLERS = {"count": "", "unet3d": "_unet3d"}
DATES = ("2010-01-16", "2010-02-01", "2010-05-08")


def open_stack(data: Path) -> xr.Dataset:
    """The three dates; the entries of the band dim have the names that the files give."""
    paths = [data / "slc_off" / f"etm_menindee_australia_{d.replace('-', '')}.tif" for d in DATES]
    scenes = [rioxarray.open_rasterio(path, chunks={"x": 900}) for path in paths]
    times = xr.Variable("time", np.array(DATES, dtype="datetime64[ns]"))
    return xr.concat(scenes, times, combine_attrs="override").to_dataset(name="nbar")


def michigan(data: Path) -> None:
    scene = rioxarray.open_rasterio(data / "ood" / "etm_michigan_usa_20110907.tif")
    fmask = rioxarray.open_rasterio(data / "water" / "etm_michigan_usa_20110907_fmask.tif")
    truth = fmask.values[0] == 1
    print("Michigan, IoU of water with Fmask: threshold 0, Otsu")
    for name in INDICES:
        shares = []
        for threshold in (0.0, "otsu"):
            made = scene.water.extent(index=name, threshold=threshold, scale=1e-4)
            wet = made.extent.values == 1
            shares.append((wet & truth).sum() / (wet | truth).sum())
        print(f"  {name:9} {shares[0]:.3f} {shares[1]:.3f}")


def main(folder: Path, method: str = "navier_stokes") -> None:
    data = os.environ.get("XINPAINT_DATA")
    if not data or not (Path(data) / "slc_off").is_dir():
        sys.exit("set XINPAINT_DATA to the folder that holds slc_off/etm_menindee_australia_*.tif")
    folder.mkdir(parents=True, exist_ok=True)
    michigan(Path(data))

    gappy = open_stack(Path(data))
    # February saw 38 % only, between clouds: too little to fill it by itself.
    filled = getattr(gappy.isel(time=[0, 2]).inpaint, method)()
    window = {"y": slice(250, None), "x": slice(700, 1700)}
    for name, stack in (("gappy", gappy), ("filled", filled)):
        told = {}
        for teller, ending in TELLERS.items():
            told[teller] = water = stack.water.seasonality(
                window=5, method=teller, scale=1e-4
            ).compute()
            print(f"Menindee, {name}, {teller}, km2:")
            print(water.water.area().area.isel(time=0).to_series().round(1).to_string())
            path = folder / f"menindee_{name}{ending}.png"
            seasonality(water.isel(window)).savefig(path)
            print(f"picture: {path.resolve()}")
        counted, net = (told[teller].seasonality.values for teller in TELLERS)
        print(f"Menindee, {name}: of what is counted as each class, the net says the same of")
        for code, class_ in enumerate(("land", "seasonal", "permanent")):
            print(f"  {class_:9} {(net == code)[counted == code].mean():.1%}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "demo-output"), *sys.argv[2:3])
