"""Reading and writing: weights, the tutorial cube."""
