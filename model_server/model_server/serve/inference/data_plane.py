"""The data plane: validates requests, computes predictions, and makes the responses and the batch for the monitor.

It knows no transport. Several threads may call it at once. Not here: JSON, HTTP, sockets, which requests are computed together
(``batcher.py``), and loading the model.
"""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from mlmodel_contract.bundle import GoldenRows

from ...bundle.golden_row_comparison import compare
from ...prediction_id.ids import Signer
from ..errors import InvalidRequest, StartRefused, UnknownModel
from ..served_model import ServedModel
from ..telemetry.trace_context import Trace
from .column_decoder import ColumnDecoder
from .matrix_decoder import MatrixDecoder
from .named_decoder import NamedDecoder
from .request_rows import ColumnLayout, Columns, Floats, RequestRows
from .response import InferResponse, OutputWriter
from .slice_groups import SliceGroups
from .tensors import DATATYPES_OF, InferRequest, ModelMetadata, Tensor, TensorMetadata

_TRIALS = 3


class PredictedBatch(NamedTuple):
    """Predicted rows, as the monitor receives them.

    ``seconds`` is their time since 1970; ``numbers`` is rows x columns, named by ``names``; ``others`` are the other columns by name;
    ``predictions`` is rows x classes, or rows x 1; ``outside`` counts values beyond a column's range, by column; ``traces`` has each
    row's trace id, and is None where no request had a trace.
    """

    seconds: float
    ids: list[str]
    names: Sequence[str]
    numbers: Floats
    others: Mapping[str, Sequence[Any]]
    predictions: Floats
    outside: Mapping[str, int]
    traces: list[str | None] | None = None


class Query(NamedTuple):
    """A valid request: its id, the names of the wanted outputs, its rows and its trace."""

    id: str | None
    wanted: tuple[str, ...]
    rows: RequestRows
    trace: Trace | None = None


Outcome = InferResponse | Exception


class DataPlane:
    """Serves one version."""

    def __init__(self, model: ServedModel, signer: Signer, max_rows: int, clock: Callable[[], float] = time.time) -> None:
        self.model = model
        self._signer = signer
        self._clock = clock
        self._general = ColumnDecoder(model.schema, max_rows)
        self._matrices = MatrixDecoder(model.schema, max_rows)
        self._named = NamedDecoder(model.schema, max_rows)
        self._layout = ColumnLayout(model.schema)
        self._writer = OutputWriter(model.schema, model.name, model.version)
        self._groups = SliceGroups(model.schema)

    def find(self, name: str, version: str | None) -> None:
        """Check that this server serves the model.

        Raises:
            UnknownModel: it does not.

        """
        if name != self.model.name:
            raise UnknownModel(f"there is no model '{name[:100]}' here: this server has '{self.model.name}'")
        if version is not None and version != self.model.version:
            raise UnknownModel(f"there is no version '{version[:100]}' of '{name}' here: this server has '{self.model.version}'")

    def metadata(self) -> ModelMetadata:
        """Return the model's metadata."""
        schema = self.model.schema
        inputs = [TensorMetadata(column.name, DATATYPES_OF[column.type], (-1,)) for column in schema.features]
        if schema.time:
            inputs.append(TensorMetadata(schema.time, "BYTES", (-1,), {"optional": True}))
        facts = {
            "task": schema.task.value,
            "target": schema.target,
            "engine": self.model.predictor.engine,
            "tolerance": self.model.tolerance,
            "estimator": self.model.estimator,
        }
        return ModelMetadata(self.model.name, (self.model.version,), "scikit-learn", tuple(inputs), self._writer.metadata(), facts)

    def infer(self, request: InferRequest) -> tuple[InferResponse, PredictedBatch]:
        """Answer one request alone; raises what ``validate`` and the predictor do."""
        (response,), predicted = self._predict_together([self.validate(request)])
        return response, predicted

    def validate(self, request: InferRequest, trace: Trace | None = None) -> Query:
        """Validate a request.

        Raises:
            InvalidRequest: the request does not fit the schema.
            TooLarge: the request has too many rows.

        """
        return Query(request.id, self._writer.check(request.outputs), self._general.decode(request.inputs), trace)

    def decode_fast(self, body: bytes, trace: Trace | None = None) -> Query | None:
        """Decode and validate a JSON request of one of the usual forms; None where ``validate`` has to. To be called by one thread."""
        found = self._matrices.decode(body) or self._named.decode(body)
        return found and Query(found[0], self._writer.all, found[1], trace)

    def answer(self, queries: Sequence[Query]) -> tuple[list[Outcome], list[PredictedBatch]]:
        """Answer requests that are computed together; return the response or the error of each, in their order, and the predicted batches.

        If anything fails (InvalidRequest: no prediction can be computed for a row), each is computed alone: none fails another.
        """
        try:
            responses, predicted = self._predict_together(queries)
        except Exception as error:  # an engine may raise anything
            if len(queries) == 1:
                return [error], []
            answers = [self.answer([query]) for query in queries]
            return [outcome for outcomes, _ in answers for outcome in outcomes], [batch for _, batches in answers for batch in batches]
        return [*responses], [predicted]

    def cost(self, rows: int) -> float:
        """Return how many seconds a prediction of ``rows`` rows takes: the least of a few trials on the golden rows."""
        parts = [self._golden] * -(-rows // self._golden.size)
        columns = self._layout.columns(self._layout.join(parts))
        return min(_timed(lambda: self.model.predictor.predict(columns.features, columns.size)) for _ in range(_TRIALS))

    def warm_up(self, golden: GoldenRows) -> None:
        """Predict the golden rows as those of a request, and compare with the bundle's own predictions.

        Raises:
            StartRefused: a prediction differs from the bundle's own.

        """
        tensors = (
            Tensor(column.name, DATATYPES_OF[column.type], (len(golden.rows),), [row.get(column.name) for row in golden.rows])
            for column in self.model.schema.features
        )
        try:
            self._golden = ColumnDecoder(self.model.schema, len(golden.rows)).decode(
                tuple(tensors)
            )  # there may be more rows than a request may have
            predictions = self._predict(self._layout.columns(self._layout.join([self._golden])))
        except InvalidRequest as error:
            raise StartRefused(f"the bundle's golden rows do not fit its own schema ({error}): package the model again") from error
        expected = np.array(golden.predictions, dtype=np.float64)
        mismatch = compare(expected, predictions, golden.tolerance)
        if mismatch is None:
            return
        if mismatch.row is None:
            raise StartRefused(
                f"the golden rows have predictions of the shape {predictions.shape}, not {expected.shape}: package the model again"
            )
        raise StartRefused(
            f"a golden row's prediction differs by {mismatch.difference:.3g}, more than {golden.tolerance:.3g}: "
            "serve with the library versions that the bundle was made with, or package the model again"
        )

    def _predict_together(self, queries: Sequence[Query]) -> tuple[list[InferResponse], PredictedBatch]:
        columns = self._layout.columns(self._layout.join([query.rows for query in queries]))
        predictions = self._predict(columns)
        seconds = self._clock()
        ids = self._signer.sign(int(seconds * 1000), predictions, self._groups.indices(columns.others))
        outputs = self._writer.outputs(predictions, ids)
        responses, start = [], 0
        for query in queries:
            end = start + query.rows.size
            responses.append(InferResponse(self._writer, query.wanted, outputs, start, end, query.id))
            start = end
        names, numbers = self._layout.monitored_columns, columns.monitored_numbers
        batch = PredictedBatch(seconds, ids, names, numbers, columns.others, predictions, columns.outside, _traces(queries))
        return responses, batch

    def _predict(self, columns: Columns) -> np.ndarray:
        predictions = self.model.predictor.predict(columns.features, columns.size)
        flat = predictions.ravel()
        if not math.isfinite(flat.dot(flat)) and not (finite := np.isfinite(predictions).all(axis=1)).all():
            row = int(np.argmin(finite))
            raise InvalidRequest(f"no prediction can be computed for row {row}: its numbers are too large for the model, check them")
        return predictions


def _traces(queries: Sequence[Query]) -> list[str | None] | None:
    """Return the trace id of each row; None where no request has a trace, as is usual."""
    if not any([query.trace for query in queries]):  # noqa: C419 (the list is faster)
        return None
    return [query.trace.id if query.trace else None for query in queries for _ in range(query.rows.size)]


def _timed(work: Callable[[], Any]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
