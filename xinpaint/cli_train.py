"""Commands about weights: score them, adapt them, cut gap patterns to train them on."""

from __future__ import annotations

import argparse
from pathlib import Path, PurePath
from typing import Any

from xinpaint.errors import DataError


def place(text: str) -> Path | str:
    """A path, or a URL as it is."""
    return text if "://" in text else Path(text)


def add(commands: Any) -> None:
    """Add `evaluate`, `adapt` and `masks`."""
    _add_evaluate(commands)
    _add_adapt(commands)
    masks = commands.add_parser("masks", help="cut SLC gaps out of real scenes into a bank")
    masks.add_argument(
        "src",
        type=place,
        nargs="+",
        help="Zarr stores (paths or URLs) or GeoTIFFs after 2003-05-31",
    )
    masks.add_argument("--out", type=Path, required=True, help=".npz file that recipes read")
    masks.add_argument("--side", type=int, default=256, help="of a window (%(default)s)")
    masks.add_argument("--stride", type=int, default=64, help="between windows (%(default)s)")
    masks.set_defaults(run=_masks)


def _add_evaluate(commands: Any) -> None:
    command = commands.add_parser("evaluate", help="score weights on held-out pixels")
    command.add_argument("weights", help="shipped name or .safetensors file")
    on = command.add_mutually_exclusive_group(required=True)
    on.add_argument("src", type=place, nargs="?", help="Zarr store (path or URL) or GeoTIFF")
    on.add_argument("--recipe", type=Path, help="score what this recipe holds out instead")
    command.add_argument("--data", type=Path, help="data folder of the recipe ($XINPAINT_DATA)")
    command.add_argument("--masks", nargs="+", default=["scan_lines", "clouds"])
    command.add_argument("--seed", type=int, default=0)
    command.add_argument("--device", default="cpu")
    command.add_argument("--out", type=Path, help="write the table, too: .csv or .json")
    command.set_defaults(run=_evaluate)


def _add_adapt(commands: Any) -> None:
    command = commands.add_parser("adapt", help="fine-tune weights on your own gappy cube")
    command.add_argument("src", type=place, help="Zarr store (path or URL) or GeoTIFF")
    command.add_argument("--weights", default="convcnp", help="name or file (%(default)s)")
    command.add_argument("--out", type=Path, required=True, help="folder of the adapted weights")
    command.add_argument("--minutes", type=float, default=10.0, help="at most (%(default)s)")
    command.add_argument("--steps", type=int, help="so many steps, however long they take")
    command.add_argument("--seed", type=int, default=0)
    command.add_argument("--device", default="cpu")
    command.set_defaults(run=_adapt)


def _evaluate(args: argparse.Namespace) -> None:
    from xinpaint.io.opening import open_path
    from xinpaint.train.assess import assess_cube, assess_recipe

    if args.out and args.out.suffix not in (".csv", ".json"):
        raise DataError(f"--out {args.out}: wanted a name that ends in .csv or .json")
    if args.recipe:
        table = assess_recipe(args.weights, args.recipe, data=args.data, device=args.device)
    else:
        cube = open_path(args.src)
        options = {"masks": args.masks, "seed": args.seed, "device": args.device}
        table = assess_cube(args.weights, cube, **options)
    print(table.round(4).to_string())
    if args.out:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        if args.out.suffix == ".csv":
            table.to_csv(args.out)
        else:
            table.reset_index().to_json(args.out, orient="records", indent=2)
        print(f"wrote {args.out}")


def _adapt(args: argparse.Namespace) -> int:
    from xinpaint.io.opening import open_path
    from xinpaint.train.adapt import adapt

    options = {"minutes": args.minutes, "steps": args.steps, "seed": args.seed}
    cube = open_path(args.src)
    done = adapt(cube, args.out, weights=args.weights, device=args.device, **options)
    print(done)
    if done.weights is None:
        print(f"no better on held-out pixels: nothing was written, stay with {args.weights}")
        return 1
    print(f"wrote {done.weights}")
    return 0


def _masks(args: argparse.Namespace) -> None:
    import numpy as np

    from xinpaint.cube.gaps import from_scene
    from xinpaint.io.banks import save_bank
    from xinpaint.io.opening import open_path

    found = [from_scene(open_path(src), side=args.side, stride=args.stride) for src in args.src]
    bank = np.concatenate(found)
    save_bank(args.out, bank, name=", ".join(PurePath(src).name for src in args.src))
    print(f"wrote {len(bank)} windows, {bank.mean():.1%} gap, to {args.out}")
