"""How much other dates help: rivals and `convnp` with 0, 1, 2, 4 and 6 of them."""
