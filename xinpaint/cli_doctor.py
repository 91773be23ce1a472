"""``xinpaint doctor``: what this installation can do, what it lacks, and how to add it."""

from __future__ import annotations

import argparse
from typing import Any


def add(commands: Any) -> None:
    """Add `doctor` to the commands."""
    doctor = commands.add_parser(
        "doctor", help="check this installation; say what is missing and how to add it"
    )
    doctor.add_argument("--no-fill", action="store_true", help="leave out the test fill")
    doctor.set_defaults(run=_doctor)


def _doctor(args: argparse.Namespace) -> int:
    from xinpaint.io.doctor import examine

    checks = examine(fill=not args.no_fill)
    for check in checks:
        print(check)
    wrong = [check.what for check in checks if check.needed and not check.ok]
    lacking = [check.what for check in checks if not check.needed and not check.ok]
    if wrong:
        print(f"\nto mend: {', '.join(wrong)}")
        return 1
    print("\nall that is needed is there" + (f"; without: {', '.join(lacking)}" if lacking else ""))
    return 0
