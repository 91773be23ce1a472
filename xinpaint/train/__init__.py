"""Training: a recipe, tasks from images under transplanted gaps, a flat loop, a score."""
