"""``python -m xinpaint``: the same as the command ``xinpaint``."""

from __future__ import annotations

import sys

from xinpaint.cli import main

if __name__ == "__main__":
    sys.exit(main())
