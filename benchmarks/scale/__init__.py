"""The fill job against the clock: what it adds to the bare net, and whether memory stays flat."""
