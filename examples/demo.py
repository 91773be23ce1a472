"""Fill the tutorial cube with three methods, score them against the truth, draw the result.

Run `make demo`, or `python examples/demo.py [folder]`. Takes less than a minute on two cores.
"""

from __future__ import annotations

import shutil
import sys
import warnings
from pathlib import Path

import numpy as np
import xarray as xr
from dask.diagnostics.progress import ProgressBar

import xinpaint
from xinpaint import metrics, plot

METHODS = ("convnp", "nspi", "telea")
BANDS = ("blue", "green", "red", "nir", "swir1", "swir2")
SHOWN = 2  # the date in the picture

# Zarr 3 says so at every write; readers are faster with it.
warnings.filterwarnings("ignore", message="Consolidated metadata")


def main(folder: Path, size: int = 256, methods: tuple[str, ...] = METHODS) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    chunks = {"time": 1, "y": 256, "x": 256}
    truth = xinpaint.tutorial.open_cube(size=size, truth=True)
    gappy = xinpaint.tutorial.open_cube(size=size, chunks=chunks)
    gappy.to_zarr(fresh(folder / "gappy.zarr"))

    ds = xr.open_zarr(folder / "gappy.zarr", decode_coords="all")
    print(f"a made-up cube: {dict(ds.sizes)}, {len(BANDS)} bands, {ds.red.dtype}, chunks {chunks}")
    missing = ds.inpaint.gaps().to_dataarray().mean(("variable", "y", "x")).compute()
    for date, share in zip(ds.time.values, missing.values, strict=True):
        print(f"  {str(date)[:10]}  {share:6.1%} missing  {'#' * round(40 * float(share))}")

    results = {}
    for name in methods:
        print(f"filling with {name}; the bar stands still while a block is filled", flush=True)
        filled = getattr(ds.inpaint, name)()
        path = fresh(folder / f"{name}.zarr")
        with ProgressBar(dt=0.5):
            filled.to_zarr(path)
        results[name] = xr.open_zarr(path, decode_coords="all").load()

    show_scores(truth, results)
    picture = folder / "demo.png"
    plot.before_after(ds, results, truth, time=SHOWN).savefig(picture)
    print(f"\npicture: {picture.resolve()}\ncubes:   {folder.resolve()}/*.zarr")


def fresh(path: Path) -> Path:
    """Remove what an earlier run of this demo left under `path`."""
    shutil.rmtree(path, ignore_errors=True)
    return path


def show_scores(truth: xr.Dataset, results: dict[str, xr.Dataset]) -> None:
    """Print the scores on the gap pixels that every method filled, mean over dates and bands."""
    print("\nagainst the truth, gap pixels only (values stretched to 0-1 by band and date):")
    print(f"{'method':14} {'PSNR dB':>8} {'SSIM':>7} {'MAE':>7} {'in 90 % interval':>17}")
    for name, filled in results.items():
        rows = []
        for date in range(truth.sizes["time"]):
            for band in BANDS:
                codes = [r[f"{band}_provenance"].values[date] for r in results.values()]
                gap = np.all([c == 2 for c in codes], axis=0)
                seen = codes[0] == 1
                rows.append(one_score(truth, filled, band, date, gap, seen))
        psnr, ssim, mae, inside = np.mean(rows, axis=0)
        said = "-" if np.isnan(inside) else f"{inside:.1%}"
        print(f"{name:14} {psnr:8.2f} {ssim:7.4f} {mae:7.4f} {said:>17}")


def one_score(truth, filled, band, date, gap, seen) -> tuple[float, float, float, float]:
    true = truth[band].values[date].astype(float)
    lo, hi = metrics.stretch(true, seen)
    true = (true - lo) / (hi - lo)
    mean = (filled[band].values[date].astype(float) - lo) / (hi - lo)
    inside = float("nan")
    if f"{band}_std" in filled:
        std = filled[f"{band}_std"].values[date] / (hi - lo)
        inside = metrics.coverage(true, mean, std, gap)
    composed = np.where(gap, mean, true)
    return (
        metrics.psnr(true, mean, gap),
        metrics.ssim(true, composed, seen | gap),
        metrics.mae(true, mean, gap),
        inside,
    )


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "demo-output"))
