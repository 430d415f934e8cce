"""The proof that an ONNX graph predicts as the pipeline does, without which the pipeline itself is what serves.

Not here: making the graph.
"""

import logging
from collections.abc import Iterator
from typing import Any

import numpy as np
from mlmodel_contract.bundle import BundleSchema, GoldenRows
from mlmodel_contract.manifest import ColumnType
from numpy.typing import NDArray

from ...bundle.engine import OnnxPredictor, Predictor
from ...bundle.golden_row_comparison import compare
from ...bundle.json_rows import to_columns
from ..data.training_rows import RunRows, TrainingRows
from .columns import matrix
from .graph import Graph
from .linear import linear
from .trees import thresholds, trees

_log = logging.getLogger(__name__)

_THRESHOLDS = 200
"""Thresholds of each feature that rows are placed next to, spread over all of them."""

_BASE_ROWS = 500


def verified_onnx(pipeline: Any, rows: RunRows, reference: Predictor, golden: GoldenRows) -> bytes | None:
    """Return the pipeline as ONNX if it agrees on every holdout row and on hostile rows; None, with the reason in the log, if not.

    It agrees where every label is the same, and every probability or number within the tolerance of the golden rows.
    """
    content = convert(pipeline, rows.schema, rows.holdout)
    if content is None:
        _log.info("predictions will be computed by scikit-learn: %s has no ONNX form here", type(pipeline[-1]).__name__)
        return None
    found = OnnxPredictor(content, rows.schema.features)
    for kind, part in _test_rows(pipeline, rows, golden):
        reason = _disagreement(reference.predict(part.columns, len(part)), found.predict(part.columns, len(part)), golden.tolerance)
        if reason:
            _log.info("predictions will be computed by scikit-learn: ONNX differs on %s: %s", kind, reason)
            return None
    _log.info("predictions will be computed by onnxruntime: it agreed on every row that was tried")
    return content


def convert(pipeline: Any, schema: BundleSchema, rows: TrainingRows) -> bytes | None:
    """Return the pipeline as ONNX, None for an estimator that has no such form here."""
    graph = Graph()
    transformer, model = pipeline[0], pipeline[-1]
    values = matrix(graph, transformer, schema.features)
    output = linear(graph, model, values)
    if output is None:
        example = transformer.transform(rows.slice(0, 1).frame(schema.features))
        dense = np.asarray(example.todense() if hasattr(example, "todense") else example, dtype=np.float64)
        output = trees(graph, model, values, dense)
    return None if output is None else graph.serialized(output)


def _test_rows(pipeline: Any, rows: RunRows, golden: GoldenRows) -> Iterator[tuple[str, TrainingRows]]:
    yield "holdout rows", rows.holdout
    yield "golden rows", TrainingRows(to_columns(golden.rows, rows.schema.features), np.zeros(len(golden.rows)))
    yield "rows with missing values and unseen categories", _with_missing_and_unseen(rows)
    numbers = [column.name for column in rows.schema.features if column.type is not ColumnType.CATEGORY]
    for index, known in thresholds(pipeline[-1]).items():
        if index < len(numbers):  # the pipeline puts numbers first; what follows are codes and indicators
            yield f"rows next to the thresholds of '{numbers[index]}'", _near_thresholds(rows.holdout, numbers[index], known)


def _with_missing_and_unseen(rows: RunRows) -> TrainingRows:
    """Return rows of the holdout, a quarter of whose values are missing or unseen."""
    part = rows.holdout.slice(0, _BASE_ROWS)
    random = np.random.default_rng(0)
    columns: dict[str, NDArray[Any]] = {}
    for column in rows.schema.features:
        values, hit = part.columns[column.name].copy(), random.random(len(part)) < 0.25
        if column.type is ColumnType.CATEGORY:
            values[hit] = random.choice(np.array([None, "never seen"], dtype=object), int(hit.sum()))
        else:
            values[hit] = np.nan
        columns[column.name] = values
    return TrainingRows(columns, part.target)


def _near_thresholds(rows: TrainingRows, name: str, known: NDArray[np.float64]) -> TrainingRows:
    """Return rows whose value of one feature is a threshold, a neighbour of it, or its float32 and the neighbours of that."""
    chosen = known[np.linspace(0, len(known) - 1, min(_THRESHOLDS, len(known)), dtype=np.int64)]
    near = chosen.astype(np.float32)
    values = np.concatenate(
        [
            chosen,
            *(np.nextafter(chosen, end) for end in (-np.inf, np.inf)),
            near,
            *(np.nextafter(near, np.float32(end)) for end in (-np.inf, np.inf)),
        ]
    )
    base = np.arange(len(values)) * 7919 % len(rows)  # rows from everywhere
    columns = {column: entries[base] for column, entries in rows.columns.items()}
    return TrainingRows({**columns, name: values.astype(np.float64)}, rows.target[base])


def _disagreement(expected: NDArray[np.float64], found: NDArray[np.float64], tolerance: float) -> str | None:
    """Return how the predictions differ, None if they do not."""
    mismatch = compare(expected, found, tolerance)
    if mismatch is not None:
        return f"shape {found.shape} in place of {expected.shape}" if mismatch.row is None else f"by {mismatch.difference:.2g}"
    flips = int((expected.argmax(axis=1) != found.argmax(axis=1)).sum())
    return f"{flips} labels" if flips else None
