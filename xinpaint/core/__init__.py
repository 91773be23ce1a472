"""The ground floor: numpy (and scipy) only, no labels, no files."""
