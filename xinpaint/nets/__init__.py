"""Networks: torch alone, no files, no labels."""
