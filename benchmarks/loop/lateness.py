"""Labels that come late, all of them or those of one class: the mean loss beside the best schedule with the same labels.

Not here: false harm where labels are late by class (``late_labels.py``).
"""

from datetime import timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from mlmodel_cli.backtest.backtest import run_backtest
from mlmodel_cli.backtest.settings import BacktestSettings

from benchmarks.loop.backtests import MOST_RATIO
from benchmarks.loop.streams import TARGET, TIME, load
from benchmarks.table import Row, at_most

_KNOWN = "known"
_WORLDS = ("none", "abrupt")
_POSITIVES, _NEGATIVES = timedelta(days=1), timedelta(days=7)


def measure(rows: int, jobs: int) -> list[Row]:
    """Play the streams with labels that come a week late, and with positives after a day and negatives after a week."""
    found = []
    for name in _WORLDS:
        stream = load(name, None, rows)
        for what, labels_after, table in (
            ("labels a week late", _NEGATIVES, stream.table),
            ("positives a day late, negatives a week", _KNOWN, with_label_times(stream.table)),
        ):
            settings = BacktestSettings(labels_after=labels_after, jobs=jobs)
            result = run_backtest(stream.spec, table, settings, name)
            best = result.best_schedule()
            if best is None:
                raise ValueError(f"{name}, {what}: every schedule has a fit that failed")
            beside = (
                f"{result.mean_loss:.4g} with {result.fits} fits; {best.candidate} on {best.window} every {best.every} {best.mean_loss:.4g}"
            )
            found.append(
                at_most(
                    f"{name}, {what}: loss over the best schedule with them", result.mean_loss / best.mean_loss, MOST_RATIO, "ratio", beside
                )
            )
    return found


def with_label_times(table: Any) -> Any:
    """Return the table with a column of the times at which labels are known: those of positives come sooner."""
    truth = table[TARGET].combine_chunks().to_numpy(zero_copy_only=False).astype(bool)
    delay = np.where(truth, np.timedelta64(_POSITIVES, "us"), np.timedelta64(_NEGATIVES, "us"))
    known = pc.add(table[TIME].cast(pa.timestamp("us")), pa.array(delay))
    return table.append_column(_KNOWN, known)
