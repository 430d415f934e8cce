"""Batches that arrived together, merged into few large ones: many rows at once are counted and stored at a fraction of the cost.

Not here: reading packets, and what is done with the rows.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from itertools import chain, groupby
from typing import Any

import numpy as np
from mlmodel_contract.bundle import BundleSchema

from ..link.row_packets import Batch, Floats


@dataclass(frozen=True)
class RowBatch:
    """Rows of some batches with the same columns, in the order in which they came.

    ``seconds`` since the epoch, for each row; the rest is as in ``Batch``.
    """

    batches: Sequence[Batch]
    ids: Sequence[str]
    seconds: Floats
    names: Sequence[str]
    numbers: Floats
    others: Mapping[str, Sequence[Any]]
    predictions: Floats
    traces: Sequence[str | None]

    @cached_property
    def columns(self) -> dict[str, Any]:
        """All columns by name; made once, for counting and for capture."""
        return {**dict(zip(self.names, np.ascontiguousarray(self.numbers.T), strict=True)), **self.others}

    def split(self) -> "Iterator[RowBatch]":
        """Return the batches one by one."""
        return (_merged([batch]) for batch in self.batches)


def merge_batches(batches: Sequence[Batch]) -> list[RowBatch]:
    """Merge neighbours with the same columns."""
    return [_merged(list(alike)) for _, alike in groupby(batches, key=_columns)]


def _columns(batch: Batch) -> tuple[Any, ...]:
    return batch.names, list(batch.others), batch.predictions.shape[1]


def _merged(batches: Sequence[Batch]) -> RowBatch:
    sizes = [len(batch.ids) for batch in batches]
    first = batches[0]
    return RowBatch(
        batches=batches,
        ids=list(chain.from_iterable(batch.ids for batch in batches)),
        seconds=np.repeat([batch.seconds for batch in batches], sizes),
        names=first.names,
        numbers=np.concatenate([batch.numbers for batch in batches]),
        others={name: list(chain.from_iterable(batch.others[name] for batch in batches)) for name in first.others},
        predictions=np.concatenate([batch.predictions for batch in batches]),
        traces=list(chain.from_iterable(batch.traces or [None] * size for batch, size in zip(batches, sizes, strict=True))),
    )


def row_seconds(rows: RowBatch, schema: BundleSchema) -> Floats:
    """Return when each row belongs, in seconds since the epoch: its own time, or that of the request that brought it."""
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
