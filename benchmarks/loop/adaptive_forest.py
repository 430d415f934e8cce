"""river's adaptive random forest (Gomes and others 2017) on the same rows: it learns each label at once, and has no schedule.

Not here: the forest, which runs in an environment of its own (``peer_scripts/``), as river's documentation installs it.
"""

import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from mlmodel_cli.backtest.judging import judge
from mlmodel_cli.backtest.result import mean
from mlmodel_cli.backtest.stream import Stream
from mlmodel_contract.manifest import ColumnType

from benchmarks.loop.fits import Floats

NAME = "river's adaptive forest"

_SCRIPT = Path(__file__).parent / "peer_scripts" / "river_forest.py"
_LONGEST = 3_600  # seconds
_SURE = 1e-3  # probabilities of the forest are kept from 0 and 1 by this, without which one row may cost as much as a thousand


@dataclass(frozen=True)
class ForestLoss:
    """The mean loss of the live rows, NaN where the forest could not be run; and which river it was, or why not."""

    mean: float
    note: str


def forest_loss(stream: Stream) -> ForestLoss:
    """Let the forest predict and learn the rows of a stream one by one; every label is known before the next row."""
    with tempfile.TemporaryDirectory() as folder:
        rows, predictions = Path(folder) / "rows.npz", Path(folder) / "predictions.npz"
        _write(stream, rows)
        environment = ["uv", "run", "--no-project", "--python", "3.11", "--with", "river", "--with", "numpy"]
        command = [*environment, "python", str(_SCRIPT), str(rows), str(predictions)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=_LONGEST)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            return ForestLoss(float("nan"), "not measured: " + str(error.stderr or error).strip()[-120:])
        found = np.load(predictions)["predictions"]
    if stream.classes:
        found = np.clip(found, _SURE, None)
        found /= found.sum(axis=1, keepdims=True)
    judgement = judge(stream, stream.first_live, stream.classes, found, None)
    return ForestLoss(mean(judgement.losses), f"river {done.stdout.split()[-1]}")


def _write(stream: Stream, file: Path) -> None:
    """Write features as a matrix, categories as codes."""
    columns = stream.columns(0, len(stream))
    categories = [column.name for column in stream.data.features if column.type is not ColumnType.NUMBER]
    values = [_codes(of) if name in categories else np.asarray(of, np.float64) for name, of in columns.items()]
    np.savez(
        file,
        values=np.column_stack(values),
        target=stream.target,
        first_live=stream.first_live,
        classes=len(stream.classes),
        names=np.array(list(columns)),
        categories=np.array(categories, dtype=str),
    )


def _codes(values: "np.ndarray[tuple[int], np.dtype[np.object_]]") -> Floats:
    return np.unique([str(value) for value in values], return_inverse=True)[1].astype(np.float64)
