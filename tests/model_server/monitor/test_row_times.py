"""The time that a live row is counted and stored under."""

import numpy as np
from mlmodel_contract.bundle import BundleSchema, SchemaColumn
from mlmodel_contract.manifest import ColumnType
from mlmodel_contract.quality_metrics import Task
from model_server.monitor.batch_merging import RowBatch, row_seconds

SCHEMA = BundleSchema(
    task=Task.REGRESSION,
    features=[SchemaColumn(name="x", type=ColumnType.NUMBER)],
    target="t",
    target_type=ColumnType.NUMBER,
    time="at",
)


def rows(**others: list[str | None]) -> RowBatch:
    arrived = np.array([100.0, 200.0, 300.0])
    return RowBatch([], ["a", "b", "c"], arrived, ["x"], np.zeros((3, 1)), others, np.zeros((3, 1)), [None] * 3)


def test_a_row_is_of_its_own_time_and_else_of_its_request() -> None:
    times = row_seconds(rows(at=["1970-01-01T00:01:00", "1970-01-01T01:00:30+01:00", None]), SCHEMA)
    assert times.tolist() == [60.0, 30.0, 300.0]
    assert row_seconds(rows(), SCHEMA).tolist() == [100.0, 200.0, 300.0]
