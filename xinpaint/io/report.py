"""What a fill job says of itself when it stops."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

#: How many blocks are named in print.
SHOWN = 10


def in_words(count: int) -> str:
    """A number of blocks in words.

    Examples
    --------
    >>> in_words(1), in_words(1200)
    ('1 block', '1,200 blocks')
    """
    return f"{count:,} block{'' if count == 1 else 's'}"


@dataclass(frozen=True)
class Report:
    """The state of a store, and what the last run did for it.

    Parameters
    ----------
    blocks : mapping of str to int
        Blocks by status: pending, filled, copied (no gap in them), empty (nothing in them), failed.
    failures : mapping of str to str
        Cause by block; a block's name is its place along time, y and x, such as ``0/3/5``.
    seconds : float
        How long the run took.
    done : int
        Blocks that it finished or gave up.
    pixels : int
        Pixels that it filled, counted in each band.
    notes : mapping of str to str
        By block, what a method noted, such as that the CPU did what the GPU had no memory for.
    estimate : mapping of str to float
        Of a dry run: ``bytes`` of output before compression, ``memory`` in bytes a worker,
        ``seconds`` for all blocks, from three that were timed; writing is not in it.
    begun : str
        What was begun with the arrays and did not end, such as an `append` that was killed.

    Examples
    --------
    >>> print(Report({"pending": 2, "filled": 6, "failed": 0}))
    8 blocks: 2 pending, 6 filled
    """

    blocks: Mapping[str, int]
    failures: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    done: int = 0
    pixels: int = 0
    notes: Mapping[str, str] = field(default_factory=dict)
    estimate: Mapping[str, float] = field(default_factory=dict)
    begun: str = ""

    @property
    def complete(self) -> bool:
        """Whether every block is done, and nothing else was begun."""
        return not (self.blocks["pending"] or self.blocks["failed"] or self.begun)

    @property
    def blocks_per_second(self) -> float:
        """Of this run."""
        return self.done / self.seconds if self.seconds else 0.0

    @property
    def pixels_per_second(self) -> float:
        """Filled pixels a second of this run."""
        return self.pixels / self.seconds if self.seconds else 0.0

    def __str__(self) -> str:
        """A few lines for people."""
        counts = ", ".join(f"{count:,} {word}" for word, count in self.blocks.items() if count)
        lines = [f"{in_words(sum(self.blocks.values()))}: {counts}"]
        if self.estimate:
            told = self.estimate
            lines.append(
                f"about {told['seconds']:,.0f} s, {told['bytes'] / 1e6:,.1f} MB before "
                f"compression, {told['memory'] / 1e6:,.1f} MB a worker beside the net"
            )
        if self.done:
            lines.append(
                f"{in_words(self.done)} in {self.seconds:,.1f} s: {self.blocks_per_second:,.2f} "
                f"blocks/s, {self.pixels_per_second / 1e6:,.3f} M filled pixels/s"
            )
        for what, kind in ((self.failures, "failed"), (self.notes, "noted")):
            lines += [f"block {name} {kind}: {text}" for name, text in list(what.items())[:SHOWN]]
            if len(what) > SHOWN:
                lines.append(f"... and {in_words(len(what) - SHOWN)} more {kind}")
        lines += [f"not complete: {self.begun}"] if self.begun else []
        if self.blocks.get("failed"):
            lines.append("failed blocks are tried again by retry_failed=True (--retry-failed)")
        return "\n".join(lines)
