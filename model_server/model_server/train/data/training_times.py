"""Where a time lies among rows in time order.

Pure. Not here: the rows (``training_rows.py``), and what is done with the time.
"""

from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc


def rows_until(times: Any, time: datetime) -> int:
    """Return how many of the rows, an arrow column in time order, are of this time or before it; missing times come first."""
    return int(pc.sum(pc.fill_null(pc.less_equal(times, pa.scalar(time, times.type)), True)).as_py() or 0)
