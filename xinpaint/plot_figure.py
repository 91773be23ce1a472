"""The figure that every plot returns: Matplotlib's, which a notebook also shows."""

from __future__ import annotations

import io

from matplotlib.figure import Figure


class Picture(Figure):
    """A Matplotlib figure that notebooks show, whether or not pyplot was ever imported.

    Everything that `matplotlib.figure.Figure` does, it does: ``savefig``, ``axes``, ``suptitle``.

    Examples
    --------
    >>> Picture(figsize=(1, 1))._repr_png_()[1:4]
    b'PNG'
    """

    def _repr_png_(self) -> bytes:
        made = io.BytesIO()
        self.savefig(made, format="png")
        return made.getvalue()
