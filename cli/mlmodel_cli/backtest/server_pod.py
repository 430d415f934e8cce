"""A model-server pod without a cluster: the bundle's real predictor, and the sidecar's own counts, captured rows and reports.

What is left out are sockets and threads: rows are handed over by calls. Not here: which version has the traffic.
"""

from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from mlmodel_contract.base import duration
from mlmodel_contract.bundle import BundleSchema, SchemaColumn
from mlmodel_contract.environment import ENV_POD
from mlmodel_contract.manifest import ColumnType
from mlmodel_contract.pod import PodDocument
from mlmodel_contract.run import captured_folder, feedback_folder
from mlmodel_operator.cluster.cache import Body
from model_server.bundle.fetch import BundleStore, fetch
from model_server.bundle.read import open_bundle
from model_server.link.labels import LabelledPrediction
from model_server.link.row_packets import Batch
from model_server.monitor.batch_merging import RowBatch, merge_batches
from model_server.monitor.capture import Archive, Destination, RowBuffer
from model_server.monitor.label_delay import LabelDelay
from model_server.monitor.pod_counts import PodCounts, Subject
from model_server.monitor.report_publisher import ReportPublisher
from model_server.monitor.retention import delete_expired
from model_server.monitor.spool import Spool
from model_server.serve.inference.slice_groups import SliceGroups
from numpy.typing import NDArray

from .stream import Floats, Stream

_AT_ONCE = 2_500
"""Rows that are handed over together: with a full file's they still find room in the sidecar's buffer."""

_ID_BYTES = 48  # as long as a real id, and 64 characters of base64 without padding


class ServerPod:
    """One pod of one version; ``clock`` tells seconds since 1970."""

    def __init__(self, deployment: Body, name: str, folder: Path, clock: Callable[[], float]) -> None:
        document = _document(deployment)
        fetch(document.artifact, folder, BundleStore(document.store, document.store_credentials))
        bundle = open_bundle(folder, document.artifact.digest)
        self.name = name
        self.version = document.version
        self.schema: BundleSchema = bundle.schema
        self._document = document
        self._clock = clock
        self._predictor = bundle.predictor
        self._groups = SliceGroups(bundle.schema)
        self._served = 0
        self._spool = Spool(folder / "spool")
        delay = duration(document.label_delay).total_seconds()
        self._maturity = LabelDelay(duration(document.complete_after or document.label_delay).total_seconds(), _heartbeat(document))
        self._counts = PodCounts(
            Subject(document.model, document.version, bundle.schema, bundle.profile, delay, self._maturity), self._spool
        )
        self._buffer = RowBuffer(bundle.schema, document.capture_fraction)
        destination = Destination(captured_folder(document.store), document.store_credentials, document.version, name)
        self._archive = Archive(destination, bundle.schema, self._spool, self._counts.add_captured, clock)
        self._publisher = ReportPublisher(document, name, httpx.AsyncClient)

    @property
    def label_delay(self) -> float:
        """Seconds for which labels of a prediction are taken."""
        return duration(self._document.label_delay).total_seconds()

    def predict(self, columns: Mapping[str, NDArray[Any]], rows: int) -> Floats:
        """Return predictions that are neither counted nor captured: rows x classes, or rows x 1."""
        predictions: Floats = self._predictor.predict(columns, rows)
        return predictions

    def serve(self, stream: Stream, start: int, stop: int) -> tuple[Floats, NDArray[np.uint8] | None]:
        """Predict rows [``start``, ``stop``), count and capture them; return the predictions, and the groups of the objective's slices."""
        columns = stream.columns(start, stop)
        predictions = self.predict(columns, stop - start)
        others = {column.name: _values(stream, column, columns, start, stop) for column in self.schema.features if not _is_number(column)}
        for part in self._batches(stream.arrived[start:stop]):
            rows = self._batch(range(start + part.start, start + part.stop), stream.arrived, columns, others, predictions, part)
            self._counts.add_rows(rows)
            self._buffer.add(rows)
            if self._buffer.is_full():
                self._archive.store_rows(self._buffer)
        return predictions, self._groups.indices(others)

    def _batches(self, arrived: Floats) -> Iterator[slice]:
        """Yield the rows that are counted at once: none of two stretches of the label delay, as packets come within a second."""
        stretches = [self._maturity.stretch(seconds) for seconds in arrived]
        begins = [row for row in range(1, len(arrived)) if stretches[row] != stretches[row - 1]]
        for first, last in pairwise([0, *begins, len(arrived)]):
            for start in range(first, last, _AT_ONCE):
                yield slice(start, min(start + _AT_ONCE, last))

    def _batch(
        self,
        numbers: range,
        arrived: Floats,
        columns: Mapping[str, NDArray[Any]],
        others: Mapping[str, Sequence[Any]],
        predictions: Floats,
        part: slice,
    ) -> RowBatch:
        """Return rows as the sidecar reads them from the server's packets; ``numbers`` are the rows' own, which ids are made of."""
        names = [column.name for column in self.schema.features if _is_number(column)]
        values = np.stack([columns[name][part] for name in names], axis=1) if names else np.empty((len(numbers), 0))
        seconds = arrived[numbers.start : numbers.stop]
        self._served += len(numbers)
        rows = Batch(
            server="server",
            served=self._served,
            seconds=float(seconds[-1]),
            ids=[prediction_id(row) for row in numbers],
            names=names,
            numbers=values,
            others={name: list_[part] for name, list_ in others.items()},
            predictions=predictions[part],
        )
        (merged,) = merge_batches([rows])
        return replace(merged, seconds=seconds)

    def label(self, labels: Sequence[LabelledPrediction]) -> None:
        """Take labels that came back."""
        if labels:
            self._counts.add_labels(labels, self._clock())

    def report(self) -> Body:
        """Return the pod's MonitorReport."""
        return self._publisher.manifest(self._counts.report(self._clock()))

    def store(self) -> None:
        """Bring all rows and labels into the store, and delete what is past its retention."""
        self._archive.store_rows(self._buffer)
        self._archive.store_labels()
        folders = captured_folder(self._document.store), feedback_folder(self._document.store)
        delete_expired(*folders, self._document.store_credentials, duration(self._document.capture_retention), self._clock())

    def close(self) -> None:
        """End the pod; what it holds is stored first."""
        self.store()
        self._spool.close()


def prediction_id(row: int) -> str:
    """Return the id of a row's prediction: unique as a real one, but the same in each backtest, by which equal times are put in order."""
    return urlsafe_b64encode(row.to_bytes(_ID_BYTES, "big")).decode()


def _document(deployment: Body) -> PodDocument:
    """Return the settings that the pod's containers are given."""
    pod = deployment["spec"]["template"]["spec"]
    variables = {entry["name"]: entry.get("value", "") for container in pod["containers"] for entry in container["env"]}
    return PodDocument.model_validate_json(variables[ENV_POD])


def _heartbeat(document: PodDocument) -> float:
    return duration(document.heartbeat).total_seconds()


def _is_number(column: SchemaColumn) -> bool:
    return column.type is ColumnType.NUMBER


def _values(stream: Stream, column: SchemaColumn, columns: Mapping[str, NDArray[Any]], start: int, stop: int) -> Sequence[Any]:
    """Return booleans and categories as a request has them."""
    if column.type is ColumnType.BOOLEAN:
        return list(stream.table[column.name].slice(start, stop - start).to_pylist())
    return list(columns[column.name])
