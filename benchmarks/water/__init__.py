"""How well classes of water are told from three gappy months, after each filler and without."""
