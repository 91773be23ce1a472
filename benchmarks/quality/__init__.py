"""Every method on scenes that no weight has seen: ``python -m benchmarks.quality``."""
