"""How fast and how large: asv-style classes, and ``python -m benchmarks.speed`` for a table."""
