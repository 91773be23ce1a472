"""The log of a run: a CSV row a step, and the same numbers for TensorBoard."""

from __future__ import annotations

import csv
from pathlib import Path
from types import TracebackType
from typing import Any

from tqdm import tqdm


class Log:
    """A row a step in ``log.csv`` and, where it is installed, in the folder ``tensorboard``.

    Rows beyond the resumed checkpoint are dropped: from the CSV here, by TensorBoard when it reads
    that a run went on from an earlier step.

    Parameters
    ----------
    out : path
        Folder of the run.
    step : int
        The step that the run goes on from.
    score : type
        The dataclass of validation scores: its fields are columns.
    tensorboard : bool
        Write for TensorBoard, too.
    """

    def __init__(self, out: Path, step: int, score: type, *, tensorboard: bool = True) -> None:
        self.path = out / "log.csv"
        old = self.path.read_text().splitlines()[1:] if self.path.exists() else []
        kept = [row for row in csv.reader(old) if row and int(row[0]) <= step]
        head = ["step", "loss", *getattr(score, "__dataclass_fields__", ())]
        part = self.path.with_suffix(".partial")
        with part.open("w", newline="") as file:
            csv.writer(file).writerows([head, *kept])
        part.replace(self.path)
        self._board = _board(out / "tensorboard", step) if tensorboard else None

    def row(self, step: int, loss: float, rate: float, score: Any = None) -> None:
        """Append one step: its loss, its learning rate and, if any, its validation."""
        told = score.asdict() if score else {}
        with self.path.open("a", newline="") as file:
            csv.writer(file).writerow([step, f"{loss:.6f}", *(f"{v:.5f}" for v in told.values())])
        if self._board is not None:
            self._board.add_scalar("train/loss", loss, step)
            self._board.add_scalar("train/rate", rate, step)
            for name, value in told.items():
                self._board.add_scalar(f"validation/{name}", value, step)

    def flush(self) -> None:
        """Bring to disk what TensorBoard was told: before each checkpoint."""
        if self._board is not None:
            self._board.flush()

    def __enter__(self) -> Log:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._board is not None:
            self._board.close()


def _board(folder: Path, step: int) -> Any:
    """A writer that takes back whatever was said of later steps; None where it is not installed."""
    try:
        from torch.utils.tensorboard.writer import SummaryWriter
    except ImportError:
        tqdm.write("no log for TensorBoard: pip install 'xinpaint[train]' to have one")
        return None
    return SummaryWriter(str(folder), purge_step=step + 1)
