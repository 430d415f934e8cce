"""Read one file, Parquet or CSV, into a table of the declared columns.

Columns are projected and converted piece by piece, so that memory holds the declared columns once, not the file. Not here: which files
belong to a source (``sources.py``), and what a value is converted to (``convert.py``).
"""

import csv
import gzip
import io
import tempfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, cast
from urllib.parse import urlsplit

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
from mlmodel_contract.manifest import Column
from mlmodel_contract.run import Problem

from ...storage import Location, StorageError, download, open_file
from .convert import TYPES, convert

_BATCH_ROWS = 65_536
_BLOCK_BYTES = 4 << 20
_UNREADABLE = (pa.ArrowInvalid, pa.ArrowKeyError, pa.ArrowNotImplementedError, UnicodeDecodeError, csv.Error)


@dataclass(frozen=True)
class Reading:
    """Rows that were read, and why more could not be; the table has one column for each declared one, of its type.

    ``dropped`` rows were left out, by cause.
    """

    table: Any
    problems: list[Problem] = field(default_factory=list)
    dropped: dict[str, int] = field(default_factory=dict)


@dataclass
class _Mismatches:
    """Values of one column that do not fit its type, over the pieces of a file."""

    count: int = 0
    example: str = ""

    def add(self, count: int, example: str) -> None:
        self.count += count
        self.example = self.example or example


def schema_of(columns: Sequence[Column]) -> Any:
    """Return the arrow schema of the declared columns."""
    return pa.schema([(column.name, TYPES[column.type]) for column in columns])


def read_file(file: Location, columns: Sequence[Column]) -> Reading:
    """Read one Parquet or CSV file.

    Raises:
        StorageError: the file is missing, forbidden, out of reach, of no known format, or damaged.

    """
    name = urlsplit(file.uri).path.lower()
    try:
        with _local_copy(file) as near:
            if name.endswith(".parquet"):
                return _collect(file.uri, columns, *_parquet(near, columns))
            if name.endswith((".csv", ".csv.gz")):
                return _collect(file.uri, columns, *_csv(near, columns, name.endswith(".gz")))
    except _UNREADABLE as error:
        raise _damaged(file.uri, error) from error
    raise StorageError("UnknownFormat", f"'{file.uri}' has no known format: use .parquet, .csv or .csv.gz")


@contextmanager
def format_errors(uri: str) -> Iterator[None]:
    """Report a damaged file, which is a fault of the data, apart from a store that does not answer.

    Raises:
        StorageError: the file is damaged.

    """
    try:
        yield
    except _UNREADABLE as error:
        raise _damaged(uri, error) from error
    except OSError as error:
        if type(error) is not OSError or error.errno is not None:
            raise
        raise _damaged(uri, error) from error  # arrow's own, such as for a page that cannot be unpacked: a store's has a number or a type


def _collect(uri: str, columns: Sequence[Column], names: Sequence[str], batches: Iterator[Any]) -> Reading:
    """Convert a file's batches; a declared column that is not there is a problem, and nothing is read."""
    missing = [column.name for column in columns if column.name not in names]
    if missing:
        return Reading(schema_of(columns).empty_table(), [_missing(uri, name) for name in missing])
    wrong = {column.name: _Mismatches() for column in columns}
    schema = schema_of(columns)
    pieces = [pa.record_batch(_converted(batch, columns, wrong), schema=schema) for batch in batches]
    table = pa.Table.from_batches(pieces, schema=schema)
    return Reading(table, [_wrong_type(uri, column, wrong[column.name]) for column in columns if wrong[column.name].count])


def _converted(batch: Any, columns: Sequence[Column], wrong: dict[str, _Mismatches]) -> list[Any]:
    arrays = []
    for column in columns:
        found = convert(batch.column(column.name), column.type)
        wrong[column.name].add(found.wrong, found.example)
        arrays.append(found.values)
    return arrays


def _parquet(file: Location, columns: Sequence[Column]) -> tuple[list[str], Iterator[Any]]:
    with open_file(file) as stream, format_errors(file.uri):
        names = list(pyarrow.parquet.read_schema(stream).names)
    wanted = [column.name for column in columns if column.name in names]

    def batches() -> Iterator[Any]:
        with open_file(file) as stream, format_errors(file.uri):
            yield from pyarrow.parquet.ParquetFile(stream).iter_batches(batch_size=_BATCH_ROWS, columns=wanted, use_threads=False)

    return names, batches()


def _csv(file: Location, columns: Sequence[Column], compressed: bool) -> tuple[list[str], Iterator[Any]]:
    """Every declared column is read as text, so that a value of the wrong type can be shown as it stands in the file."""
    with _text(file, compressed) as stream:
        names = _header(stream)
    wanted = [column.name for column in columns if column.name in names]
    options = pyarrow.csv.ConvertOptions(
        include_columns=wanted, column_types=dict.fromkeys(wanted, pa.string()), strings_can_be_null=False, quoted_strings_can_be_null=False
    )

    def batches() -> Iterator[Any]:
        with _text(file, compressed) as stream:
            yield from pyarrow.csv.open_csv(
                stream,
                read_options=pyarrow.csv.ReadOptions(block_size=_BLOCK_BYTES, use_threads=False),
                parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True),
                convert_options=options,
            )

    return names, batches() if wanted and names else iter(())


@contextmanager
def _text(file: Location, compressed: bool) -> Iterator[IO[bytes]]:
    with open_file(file) as stream:
        if not compressed:
            yield stream
            return
        try:
            with gzip.GzipFile(fileobj=stream) as unpacked:
                yield cast(IO[bytes], unpacked)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise _damaged(file.uri, error) from error


def _header(stream: IO[bytes]) -> list[str]:
    line = io.TextIOWrapper(io.BytesIO(stream.readline(1 << 20)), encoding="utf-8-sig", newline="")
    return next(csv.reader(line), [])


@contextmanager
def _local_copy(file: Location) -> Iterator[Location]:
    """Download from https first: not every web server answers the ranged reads that Parquet needs."""
    if urlsplit(file.uri).scheme != "https":
        yield file
        return
    with tempfile.TemporaryDirectory() as folder:
        yield download(file, Path(folder) / "file")


def _damaged(uri: str, error: Exception) -> StorageError:
    detail = (str(error) or type(error).__name__).splitlines()[0][:120]
    return StorageError("SourceUnreadable", f"'{uri}' is damaged or not of the format that its name says ({detail}): restore or remove it")


def _missing(uri: str, name: str) -> Problem:
    return Problem(
        check="MissingColumn", message=f"'{uri}' has no column '{name}': add it to the data or remove it from data.columns"[:400]
    )


def _wrong_type(uri: str, column: Column, wrong: _Mismatches) -> Problem:
    values = f"{wrong.count} values such as '{wrong.example}' that are" if wrong.count > 1 else f"the value '{wrong.example}' that is"
    message = f"column '{column.name}' of '{uri}' holds {values} no {column.type}: correct the data or the type in data.columns"
    return Problem(check="WrongType", message=message[:400])
