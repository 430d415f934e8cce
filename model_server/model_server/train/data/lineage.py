"""What a run learnt from, in a form that can be compared: a digest of the cleaned rows, their number and their range.

Not here: cleaning.
"""

from collections.abc import Sequence
from hashlib import sha256
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from mlmodel_contract.manifest import Column, Data
from mlmodel_contract.version import DataLineage

from .checks import CAPTURED


def lineage(train: Any, holdout: Any, data: Data) -> DataLineage:
    """Describe the cleaned rows, which are in time order."""
    whole = pa.concat_tables([train, holdout])
    start, end = _range(whole, data.time)
    return DataLineage(
        digest=digest(whole, data.columns),
        train_rows=train.num_rows,
        holdout_rows=holdout.num_rows,
        captured_rows=pc.sum(whole[CAPTURED]).as_py() or 0,
        start=start,
        end=end,
    )


def digest(table: Any, columns: Sequence[Column]) -> str:
    """Return the sha256 of the columns' names, types and values; it does not depend on the files' format or on library versions."""
    found = sha256()
    for column in columns:
        values = table[column.name].combine_chunks()
        found.update(f"{column.name}\0{column.type}\0{len(values)}\0".encode())
        found.update(np.packbits(values.is_valid().to_numpy(zero_copy_only=False)).tobytes())
        found.update(_bytes(values))
    return f"sha256:{found.hexdigest()}"


def _bytes(values: Any) -> bytes:
    """Return fixed-width values as little-endian numbers, texts as their lengths and then themselves; missing ones as zero or nothing."""
    if pa.types.is_string(values.type):
        texts = values.fill_null("")
        lengths = pc.binary_length(texts).to_numpy(zero_copy_only=False)
        return bytes(lengths.astype("<i4").tobytes()) + "".join(texts.to_pylist()).encode()
    if pa.types.is_timestamp(values.type):
        values = values.cast(pa.int64())
    zero = False if pa.types.is_boolean(values.type) else 0
    numbers = values.fill_null(zero).to_numpy(zero_copy_only=False)
    return bytes(numbers.astype(numbers.dtype.newbyteorder("<")).tobytes())


def _range(table: Any, time: str | None) -> tuple[str | None, str | None]:
    if time is None or not table.num_rows:
        return None, None
    first, last = table[time][0].as_py(), table[time][table.num_rows - 1].as_py()
    return first.isoformat(), last.isoformat()
