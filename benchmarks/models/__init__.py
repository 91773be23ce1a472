"""Every model trained alike, and every method of space: ``python -m benchmarks.models``."""
