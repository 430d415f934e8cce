"""The two engines that compute predictions: ONNX Runtime, and scikit-learn by way of skops.

Both take the same columns. A category that is missing is the empty text for the model, in training as in serving. Not here: choosing the
engine, which is done once when the bundle is packaged.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from mlmodel_contract.bundle import SchemaColumn
from mlmodel_contract.manifest import ColumnType
from numpy.typing import NDArray

from .skops_import import skops_io

Columns = Mapping[str, NDArray[Any]]
"""By name: float64 for numbers and booleans (1.0, 0.0, NaN where missing), objects (str, or None where missing) for categories."""

Probabilities = NDArray[np.float64]
"""Rows x classes, in the order of the schema's classes; or rows x 1, the predicted numbers. Row after row in memory."""

ONNXRUNTIME = "onnxruntime"
SKLEARN = "scikit-learn"
MISSING_CATEGORY = ""

NUMBERS = "#numbers"
"""The ONNX input of all numbers and booleans, rows x those features in the schema's order; no column can be named like this.

An input for each of them would cost more than the prediction of a row. A graph may have inputs of single columns all the same.
"""

_SLICE_ROWS = 2_048
"""Rows that ONNX Runtime is given at once: intermediate results can be thousands of numbers for each row."""


class MatrixColumns(Mapping[str, NDArray[Any]]):
    """Columns whose numbers are one matrix, rows x ``names``, the ONNX input ``NUMBERS``; single columns of it are made on access."""

    def __init__(self, names: Mapping[str, int], numbers: NDArray[np.float64], others: Columns) -> None:
        self.numbers = numbers
        self._names = names
        self._others = others

    def __getitem__(self, name: str) -> NDArray[Any]:
        """Return a column."""
        return np.ascontiguousarray(self.numbers[:, self._names[name]]) if name in self._names else self._others[name]

    def __iter__(self) -> Iterator[str]:
        """Return the names."""
        return iter([*self._names, *self._others])

    def __len__(self) -> int:
        """Return how many columns there are."""
        return len(self._names) + len(self._others)


class Predictor(Protocol):
    """Computes predictions; may be called by several threads at once."""

    engine: str

    def predict(self, columns: Columns, rows: int) -> Probabilities:
        """Predict ``rows`` rows from columns of that length, one for each feature of the schema."""
        ...


class OnnxPredictor:
    """ONNX Runtime with one thread of its own: requests run in parallel, not the parts of one."""

    engine = ONNXRUNTIME

    def __init__(self, model: Path | bytes, features: Sequence[SchemaColumn]) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(
            model if isinstance(model, bytes) else str(model), options, providers=["CPUExecutionProvider"]
        )
        self._output = [self._session.get_outputs()[-1].name]  # a classifier's last output are the probabilities
        types = {entry.name: entry.type for entry in self._session.get_inputs()}
        self._inputs = [(column.name, _converter(types[column.name])) for column in features if column.name in types]
        self._numbers = [column.name for column in features if column.type is not ColumnType.CATEGORY] if NUMBERS in types else []

    def predict(self, columns: Columns, rows: int) -> Probabilities:
        """Predict; see ``Predictor``."""
        feed = {name: convert(columns[name]) for name, convert in self._inputs}
        if self._numbers:
            feed[NUMBERS] = (
                columns.numbers if isinstance(columns, MatrixColumns) else np.stack([columns[name] for name in self._numbers], axis=1)
            )
        if rows <= _SLICE_ROWS:
            return self._run(feed, rows)
        starts = range(0, rows, _SLICE_ROWS)
        parts = [{name: values[start : start + _SLICE_ROWS] for name, values in feed.items()} for start in starts]
        return np.concatenate([self._run(part, min(_SLICE_ROWS, rows - start)) for start, part in zip(starts, parts, strict=True)])

    def _run(self, feed: Mapping[str, NDArray[Any]], rows: int) -> Probabilities:
        (result,) = self._session.run(self._output, feed)
        return np.asarray(result, dtype=np.float64).reshape(rows, -1)


class SklearnPredictor:
    """A fitted scikit-learn pipeline whose classes, if any, are 0, 1, ... in the order of the schema's."""

    engine = SKLEARN

    def __init__(self, pipeline: Any, features: Sequence[SchemaColumn]) -> None:
        self._features = list(features)
        self._method = getattr(pipeline, "predict_proba", None) or pipeline.predict

    def predict(self, columns: Columns, rows: int) -> Probabilities:
        """Predict; see ``Predictor``."""
        result = self._method(frame(columns, self._features))
        return np.ascontiguousarray(result, dtype=np.float64).reshape(rows, -1)  # GaussianNB's lie column after column


def load_pipeline(file: Path, features: Sequence[SchemaColumn]) -> SklearnPredictor:
    """Load a pipeline whose types were all checked before by ``trusted.check_types``; skops' own list is shorter."""
    skops = skops_io()
    return SklearnPredictor(skops.load(file, trusted=skops.get_untrusted_types(file=file)), features)


def frame(columns: Columns, features: Sequence[SchemaColumn]) -> Any:
    """Return the data frame that pipelines are fitted on and predict from: the features in the schema's order."""
    import pandas as pd

    return pd.DataFrame(
        {
            column.name: pd.Series(fill_missing(columns[column.name]), dtype=object)
            if column.type is ColumnType.CATEGORY
            else columns[column.name]
            for column in features
        }
    )


def fill_missing(values: NDArray[Any]) -> NDArray[Any]:
    """Return categories with the missing ones as the empty text, as models see them."""
    return np.where(values == None, MISSING_CATEGORY, values)  # noqa: E711 (element by element)


def _converter(kind: str) -> Callable[[NDArray[Any]], NDArray[Any]]:
    """Return a function from a column to the ONNX input of that type: rows x 1."""
    if kind == "tensor(string)":
        return lambda values: fill_missing(values)[:, None]
    dtype = np.float32 if kind == "tensor(float)" else np.float64
    return lambda values: np.asarray(values, dtype=dtype)[:, None]
