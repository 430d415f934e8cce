"""Files of labels that people or programs put into the store, imported as if their labels had come one by one.

The labels go to this pod's own server, which verifies ids and truths as it does for everybody else. Of several pods one claims a file; a
claim whose pod is gone expires after an hour. A label that came before counts as repeated, so a file that is imported again after a crash
does no harm. Not here: verifying and storing labels.
"""

import json
import logging
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from typing import Any

import httpx
import orjson
from mlmodel_contract.bundle import BundleSchema
from mlmodel_contract.capture import DROPPED_COLUMNS
from mlmodel_contract.manifest import ColumnType
from mlmodel_contract.quality_metrics import Task

from ..link.labels import ROUTE_MODEL_FEEDBACK
from ..runtime.memory import without_pandas
from ..storage import Location, StorageError, age, create, download, glob_files, locate, move, read_bytes, remove, write_atomic

_log = logging.getLogger(__name__)
_ENDINGS = (".parquet", ".csv", ".csv.gz")
_LABELS = 2_000  # of a request
_SETTLED_SECONDS = 5.0  # since the file was last written: whoever writes it in pieces may not be done before
_STALE_SECONDS = 3_600.0
_EXAMPLES = 20


class _Unreadable(Exception):
    """The file is not what it should be; the message is for whoever put it there."""


@dataclass
class ImportResult:
    """What became of a file; written beside it."""

    accepted: int = 0
    repeated: int = 0
    rejected: int = 0
    examples: list[dict[str, str]] = field(default_factory=list)
    error: str | None = None


class LabelFileImporter:
    """The folder of one model. ``client`` reaches this pod's own server; ``name`` is the model's."""

    def __init__(self, folder: str, credentials: str | None, pod: str, schema: BundleSchema, client: httpx.Client, name: str) -> None:
        self.imported = 0
        self.refused = 0
        self._folder, self._credentials, self._pod = folder, credentials, pod
        self._stopped = Event()
        self._schema = schema
        self._client = client
        self._route = ROUTE_MODEL_FEEDBACK.format(model=name)

    def import_all(self) -> None:
        """Import all files that are there; a store or server that does not answer is tried again at the next period."""
        try:
            root = locate(self._folder, self._credentials)
            for file in self._files(root):
                self._import_if_claimed(root, file)
        except StorageError as error:
            _log.warning("files of labels are not taken now: %s", error)

    def stop(self) -> None:
        """Leave a file that is being imported to other pods; from any thread."""
        self._stopped.set()

    def _files(self, root: Location) -> list[Location]:
        try:
            files = [file for ending in _ENDINGS for file in glob_files(root.child(f"*{ending}"))]
        except StorageError as error:
            if error.check == "SourceMissing":
                return []
            raise
        return sorted(files, key=lambda file: file.path)

    def _claim(self, root: Location, file: Location) -> bool:
        """Claim the file; return whether it is this pod's."""
        claim = self._claim_file(root, file)
        if age(file) < _SETTLED_SECONDS:
            return False
        if create(claim, self._pod.encode()) or read_bytes(claim) == self._pod.encode():
            return True
        if age(claim) < _STALE_SECONDS:
            return False
        remove(claim)
        return create(claim, self._pod.encode())

    def _import_if_claimed(self, root: Location, file: Location) -> None:
        claimed = False
        try:
            claimed = self._claim(root, file)
            if claimed:
                self._import(root, file)
        except httpx.HTTPError as error:
            _log.warning("the labels of %s are not taken now: %s %s", file.uri, type(error).__name__, error)
            remove(self._claim_file(root, file))
        except StorageError as error:
            if error.check != "SourceMissing":
                raise
            # another pod was done with the file, or with its claim, between two of these steps
            if claimed:
                remove(self._claim_file(root, file))

    def _claim_file(self, root: Location, file: Location) -> Location:
        return root.child(f"claims/{_name(file)}")

    def _import(self, root: Location, file: Location) -> None:
        result = ImportResult()
        try:
            for labels in self._labels(file):
                self._send(labels, result)
        except _Unreadable as error:
            result.error = str(error)
        done = root.child(f"done/{datetime.now(UTC).date().isoformat()}")
        write_atomic(done, f"{_name(file)}.result.json", json.dumps(asdict(result), indent=1).encode())
        move(file, done.child(_name(file)))
        remove(self._claim_file(root, file))
        self.imported += result.error is None
        self.refused += result.error is not None
        _log.info(
            "%s: %d labels accepted, %d repeated, %d rejected%s",
            file.uri,
            result.accepted,
            result.repeated,
            result.rejected,
            f"; {result.error}" if result.error else "",
        )

    def _send(self, labels: list[dict[str, Any]], result: ImportResult) -> None:
        if self._stopped.is_set():
            raise httpx.TransportError("this pod ends")
        response = self._client.post(self._route, content=orjson.dumps({"labels": labels}))
        if response.status_code not in (200, 400):
            response.raise_for_status()
        answer = response.json()
        if "rejected" not in answer:
            raise _Unreadable(str(answer.get("error", "the server refuses the labels")))
        result.accepted += answer["accepted"]
        result.repeated += answer["repeated"]
        result.rejected += len(answer["rejected"])
        result.examples += answer["rejected"][: _EXAMPLES - len(result.examples)]

    def _labels(self, file: Location) -> Iterator[list[dict[str, Any]]]:
        """Yield the file's labels in requests' portions."""
        with tempfile.TemporaryDirectory() as folder:
            near = Path(folder) / _name(file)
            download(file, near)
            with without_pandas():
                import pyarrow as pa
            try:
                for batch in _batches(near, _truth_type(self._schema)):
                    for start in range(0, batch.num_rows, _LABELS):
                        yield [{**label, "id": label["id"] or ""} for label in batch.slice(start, _LABELS).to_pylist()]
            except (pa.ArrowInvalid, pa.ArrowKeyError, pa.ArrowNotImplementedError, KeyError, UnicodeDecodeError) as error:
                wanted = " and ".join(DROPPED_COLUMNS)
                raise _Unreadable(f"the file needs the columns {wanted}, of which it cannot be read: {str(error)[:300]}") from error


def _batches(file: Path, truth: str) -> Iterator[Any]:
    """Yield a file's columns piece by piece; the truth as the type that the target has."""
    import pyarrow as pa

    schema = pa.schema([(DROPPED_COLUMNS[0], pa.string()), (DROPPED_COLUMNS[1], pa.type_for_alias(truth))])
    if file.suffix == ".parquet":
        import pyarrow.parquet

        with pyarrow.parquet.ParquetFile(file) as parquet:
            for batch in parquet.iter_batches(columns=list(DROPPED_COLUMNS)):
                yield pa.table(batch.select(list(DROPPED_COLUMNS)).columns, names=list(DROPPED_COLUMNS)).cast(schema)
    else:
        import pyarrow.csv

        options = pyarrow.csv.ConvertOptions(column_types=schema, include_columns=list(DROPPED_COLUMNS))
        with suppress(StopIteration), pyarrow.csv.open_csv(file, convert_options=options) as reader:
            while True:
                yield pa.table(reader.read_next_batch())


def _truth_type(schema: BundleSchema) -> str:
    if schema.task is Task.REGRESSION:
        return "double"
    return {ColumnType.BOOLEAN: "bool", ColumnType.NUMBER: "int64"}.get(schema.target_type, "string")


def _name(file: Location) -> str:
    return file.path.rpartition("/")[2]
