"""Commands: thin, over the same functions that Python users call."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xinpaint import __version__, cli_doctor, cli_image, cli_train
from xinpaint.cli_train import place
from xinpaint.errors import DataError, XinpaintError

if TYPE_CHECKING:
    from xinpaint.io.report import Report

#: Options of `fill` for neural methods.
_NEURAL = ("weights", "device", "precision")
#: Words of `fill` that are no option of a method; the command has its own for most of them.
_NO_OPTION = (
    *("src", "dst", "method", "client", "workers", "block", "retry_failed", "dry_run"),
    *("progress", "shards", "storage_options"),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; 0 when done, 1 when unfinished, 2 after an error that says what to change."""
    args = _parser().parse_args(argv)
    # threads that wait do not spin: on a busy machine a fill takes half as long, on an idle one
    # hardly longer; it counts where it is set before torch is imported
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    try:
        return int(args.run(args) or 0)
    except XinpaintError as error:
        print(f"xinpaint: error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("xinpaint: stopped", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="xinpaint", description="Fill the gaps of satellite image stacks."
    )
    parser.add_argument("--version", action="version", version=f"xinpaint {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    _add_fill(commands)

    score = commands.add_parser("score", help="hide pixels of a cube and score methods on them")
    score.add_argument("src", type=place, help="Zarr store (path or URL) or GeoTIFF")
    score.add_argument("--methods", nargs="+", default=["convnp", "navier_stokes", "telea"])
    score.add_argument("--seed", type=int, default=0)
    score.set_defaults(run=_score)

    cli_doctor.add(commands)

    methods = commands.add_parser("methods", help="list the methods")
    methods.set_defaults(run=_methods)

    train = commands.add_parser("train", help="train a net; resumes a run found in --out")
    train.add_argument("recipe", type=Path, help="TOML file")
    train.add_argument("--out", type=Path, help="folder of the run (runs/RECIPE)")
    train.add_argument("--data", type=Path, help="data folder ($XINPAINT_DATA)")
    train.add_argument("--device", default="cpu")
    train.set_defaults(run=_train)
    cli_train.add(commands)

    chips = commands.add_parser("chips", help="export Landsat 7 training chips from Earth Engine")
    chips.add_argument("out", type=Path, help="folder; the same command goes on where it stopped")
    where = chips.add_mutually_exclusive_group(required=True)
    where.add_argument("--country", help="its English name")
    where.add_argument("--box", type=float, nargs=4, metavar=("W", "S", "E", "N"))
    chips.add_argument("--count", type=int, default=100, help="places (%(default)s)")
    chips.add_argument("--collection", default="LANDSAT/LE07/C02/T1_L2", help="(%(default)s)")
    chips.add_argument("--project", help="Earth Engine project")
    chips.add_argument("--seed", type=int, default=0)
    chips.set_defaults(run=_chips)
    return parser


def _add_fill(commands: Any) -> None:
    """Add `fill`, and the commands on what it wrote."""
    fill = commands.add_parser(
        "fill", help="fill a Zarr cube into a new Zarr store, a GeoTIFF into GeoTIFFs or Zarr"
    )
    fill.add_argument("src", type=place, help="Zarr store (path or URL) or GeoTIFF")
    fill.add_argument(
        "dst",
        type=place,
        help="Zarr store: path, URL or icechunk://PATH; resumes. From a GeoTIFF also OUT.tif, with "
        "OUT_std.tif and OUT_provenance.tif beside it",
    )
    fill.add_argument("--method", default="convnp", help="see `xinpaint methods` (%(default)s)")
    fill.add_argument("--weights", help="name or .safetensors file, for a neural method")
    fill.add_argument("--device", help="auto, cpu, cuda or cuda:N, for a neural method")
    fill.add_argument("--precision", help="exact, bf16 or fp16, for a neural method (exact)")
    fill.add_argument(
        "--option",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="any other option of the method, as often as wanted: --option max_dates=2",
    )
    fill.add_argument("--nodata", type=float, help="of a GeoTIFF that does not say it itself")
    fill.add_argument(
        "--block", type=int, nargs="+", metavar="N", help="pixels of a block: side; y x; dates y x"
    )
    fill.add_argument(
        "--shards", type=int, nargs="*", metavar="N", help="a file a block; pixels of its chunks"
    )
    fill.add_argument("--dry-run", action="store_true", help="write nothing, say what to expect")
    fill.set_defaults(run=_fill)
    _add_filled(commands, fill)


def _add_filled(commands: Any, fill: argparse.ArgumentParser) -> None:
    """Add the commands on what `fill` wrote."""
    append = commands.add_parser("append", help="fill the dates that a Zarr cube has gained")
    append.add_argument("src", type=place, help="Zarr store that has more dates now")
    append.add_argument("dst", type=place, help="what `xinpaint fill` wrote")
    append.set_defaults(run=_append)
    for command in (fill, append):
        command.add_argument("--workers", type=int, help="processes (threads of one process)")
        command.add_argument("--scheduler", metavar="ADDRESS", help="a dask scheduler to use")
        command.add_argument("--retry-failed", action="store_true", help="try failed blocks again")

    status = commands.add_parser("status", help="count a filled store's blocks; name failed ones")
    status.add_argument("dst", type=place)
    status.set_defaults(run=_status)

    verify = commands.add_parser("verify", help="check that a filled store's blocks are there")
    verify.add_argument("dst", type=place)
    verify.add_argument("--deep", action="store_true", help="read every chunk against its checksum")
    verify.add_argument("--repair", action="store_true", help="fill damaged blocks again")
    verify.set_defaults(run=_verify)


def _fill(args: argparse.Namespace) -> int:
    options = {k: v for k in _NEURAL if (v := getattr(args, k)) is not None}
    options |= dict(_option(words) for words in args.option)
    if isinstance(args.src, Path) and (os.path.isfile(args.src) or not os.path.exists(args.src)):
        return cli_image.fill_image(args, options)
    cli_image.check_cube(args)
    from xinpaint.io.job import fill

    shards = True if args.shards == [] else _sides(args.shards)
    report = fill(
        args.src,
        args.dst,
        args.method,
        block=_sides(args.block),
        shards=shards,
        dry_run=args.dry_run,
        **_where(args),
        **options,
    )
    if args.dry_run:
        print(report)
        return 0
    return _told(report, args.dst)


def _option(words: str) -> tuple[str, Any]:
    """``NAME=VALUE``: numbers and true or false as in JSON, anything else as text."""
    name, equals, value = words.partition("=")
    if not (name.isidentifier() and equals and value):
        raise DataError(f"--option {words}: wanted NAME=VALUE, for example max_dates=2")
    if name in _NO_OPTION:
        raise DataError(f"--option {words}: {name} is no option of a method; see --help")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def _sides(given: list[int] | None) -> tuple[int, ...] | int | None:
    """One number as itself, more as a tuple."""
    if not given:
        return None
    return tuple(given) if len(given) > 1 else given[0]


def _append(args: argparse.Namespace) -> int:
    from xinpaint.io.append import append

    return _told(append(args.src, args.dst, **_where(args)), args.dst)


def _where(args: argparse.Namespace) -> dict[str, Any]:
    """Where blocks run, and which."""
    from xinpaint.io.cluster import connect

    client = connect(args.scheduler) if args.scheduler else None
    return {"client": client, "workers": args.workers, "retry_failed": args.retry_failed}


def _told(report: Report, dst: Path | str) -> int:
    print(report)
    print(f"wrote {dst}" if report.complete else f"{dst} is unfinished")
    return 0 if report.complete else 1


def _status(args: argparse.Namespace) -> int:
    from xinpaint.io.verify import status

    report = status(args.dst)
    print(report)
    return 0 if report.complete else 1


def _verify(args: argparse.Namespace) -> int:
    from xinpaint.io.verify import verify

    verdict = verify(args.dst, deep=args.deep, repair=args.repair)
    print(verdict)
    return 0 if verdict.ok else 1


def _score(args: argparse.Namespace) -> None:
    from xinpaint.cube.score import score
    from xinpaint.io.opening import open_path
    from xinpaint.io.weights import filler

    fillers = {name: filler(name) for name in args.methods}
    table = score(open_path(args.src), fillers, seed=args.seed).mean("variable")
    print(table.to_dataframe().round(3).to_string())


def _methods(args: argparse.Namespace) -> None:
    from xinpaint.accessors import Inpaint
    from xinpaint.io.weights import NEURAL, SHIPPED
    from xinpaint.methods.table import METHODS

    for name in [*NEURAL, *METHODS]:
        said = (getattr(Inpaint, name).__doc__ or "").partition("\n")[0]
        if name in NEURAL and not (SHIPPED / f"{NEURAL[name]}.safetensors").is_file():
            said += " No weights are shipped: give your own."
        print(f"{name:14} {said}")


def _train(args: argparse.Namespace) -> None:
    from xinpaint.train.loop import fit

    out = args.out or Path("runs") / args.recipe.stem
    print(f"wrote {fit(args.recipe, out, data=args.data, device=args.device)}")


def _chips(args: argparse.Namespace) -> None:
    try:
        from xinpaint.io.chips import export
    except ImportError as error:
        raise DataError(f"{error}; install it with: pip install 'xinpaint[ee]'") from error

    place = args.country or args.box
    made = export(
        args.out,
        place,
        count=args.count,
        collection=args.collection,
        project=args.project,
        seed=args.seed,
    )
    print(", ".join(f"{number} {folder}" for folder, number in made.items()), f"in {args.out}")


if __name__ == "__main__":
    sys.exit(main())
