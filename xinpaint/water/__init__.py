"""Rules of water on plain arrays."""
