"""How fast and how large: asv classes, and ``python -m benchmarks.speed`` for a table."""
