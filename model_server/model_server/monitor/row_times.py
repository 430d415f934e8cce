"""When a row belongs: its own time, or that of the request that brought it.

Not here: what is done with the time.
"""

from datetime import UTC, datetime
from typing import Any

import numpy as np
from mlmodel_contract.bundle import BundleSchema

from ..link.row_packets import Floats
from .batch_merging import RowBatch


def row_seconds(rows: RowBatch, schema: BundleSchema) -> Floats:
    """Return each row's time in seconds since the epoch."""
    times = rows.columns.get(schema.time or "")
    if times is None:
        return rows.seconds
    return np.array(list(map(_seconds, times, rows.seconds.tolist())), np.float64)


def _seconds(value: Any, otherwise: float) -> float:
    """The row's own time, which the server has checked and which is UTC where it names no zone; the request's where the row has none."""
    if not isinstance(value, str):
        return otherwise
    row_time = datetime.fromisoformat(value)
    return (row_time if row_time.tzinfo else row_time.replace(tzinfo=UTC)).timestamp()
