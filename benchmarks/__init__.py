"""What the project measures of itself: quality (docs/results.md) and speed."""
