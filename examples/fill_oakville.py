"""Fill a real SLC-off date of Oakville from the dates around it; the next day shows the truth.

Needs the data folder: `XINPAINT_DATA=... python examples/fill_oakville.py [folder] [method]`.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import rioxarray
import xarray as xr

import xinpaint  # noqa: F401  (registers .inpaint)
from xinpaint import plot

#: SLC-off date of Landsat 7, and the clear date of Landsat 5 beside it.
PAIRS = (("20030925", "20030926"), ("20050813", "20050814"))
#: cfmask codes that are no view of the ground: shadow, cloud, fill.
NO_GROUND = (2, 4, 255)


def open_stack(data: Path, around: str, leave_out: str, days: int = 120) -> xr.Dataset:
    """Dates around one of them as bands over (time, y, x), and `clear`, without the truth."""
    middle = np.datetime64(f"{around[:4]}-{around[4:6]}-{around[6:]}")
    found = {}
    for path in sorted(data.glob("series/oakville/*_????????.tif")):
        stamp = path.stem[-8:]
        date = np.datetime64(f"{stamp[:4]}-{stamp[4:6]}-{stamp[6:]}", "ns")
        if abs(date - middle) <= np.timedelta64(days, "D") and stamp != leave_out:
            found[date] = open_scene(path)
    times = xr.Variable("time", np.array(sorted(found)))
    return xr.concat([found[time] for time in times.values], times, combine_attrs="override")


def open_scene(path: Path) -> xr.Dataset:
    """One date: six bands, and `clear` by its cfmask."""
    scene = rioxarray.open_rasterio(path)
    names = scene.attrs.pop("long_name")
    bands = scene.assign_coords(band=list(names)).to_dataset("band")
    quality = rioxarray.open_rasterio(path.with_name(f"{path.stem}_qa.tif")).isel(band=0, drop=True)
    bands["clear"] = ~quality.isin(NO_GROUND)
    return bands


def main(folder: Path, method: str = "convnp") -> None:
    data = os.environ.get("XINPAINT_DATA")
    if not data or not (Path(data) / "series/oakville").is_dir():
        sys.exit("set XINPAINT_DATA to the folder that holds series/oakville")
    folder.mkdir(parents=True, exist_ok=True)
    for gappy, clear in PAIRS:
        stack = open_stack(Path(data), gappy, clear)
        ds, observed = stack.drop_vars("clear"), stack.clear
        date = list(ds.time.dt.strftime("%Y%m%d").values).index(gappy)
        print(f"{gappy}: {ds.sizes['time']} dates, {1 - float(observed[date].mean()):.1%} missing")
        filled = getattr(ds.inpaint, method)(observed=observed)
        truth = open_scene(next(Path(data).glob(f"series/oakville/*_{clear}.tif")))
        one = ds.isel(time=[date]).where(observed.isel(time=[date]))
        figure = plot.before_after(
            one,
            filled.isel(time=[date]),
            truth.drop_vars("clear").expand_dims(time=one.time),
            bands=("swir1", "nir", "red"),
        )
        path = folder / f"oakville_{gappy}.png"
        figure.savefig(path)
        print(f"picture: {path.resolve()}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "demo-output"), *sys.argv[2:3])
