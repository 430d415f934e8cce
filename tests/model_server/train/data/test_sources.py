"""Sources: what is read, and what is said of those that cannot be."""

import gzip
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq
import pytest
from mlmodel_contract.manifest import Column
from model_server.train.data.sources import read_source

from tests.model_server.support.training_runs import COLUMNS, flights

SCHEMA = [Column.model_validate(column) for column in COLUMNS]


@pytest.fixture
def claim(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MLMODEL_ROOT", str(tmp_path))
    folder = tmp_path / "mlmodel/claims/data"
    folder.mkdir(parents=True)
    return folder


def csv_of(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    pc.write_csv(table, sink)
    return bytes(sink.getvalue())


def test_the_same_rows_are_read_from_every_format(claim: Path) -> None:
    table = flights(50).append_column("unused", pa.array(range(50)))
    pq.write_table(table, claim / "a.parquet")
    (claim / "a.csv").write_bytes(csv_of(table))
    (claim / "b.csv.gz").write_bytes(gzip.compress(csv_of(table)))
    readings = [read_source(f"pvc://data/{name}", None, SCHEMA) for name in ("a.parquet", "a.csv", "b.csv.gz")]
    assert [reading.problems for reading in readings] == [[], [], []]
    assert readings[0].table.equals(readings[1].table)
    assert readings[0].table.equals(readings[2].table)
    assert readings[0].table.column_names == [column.name for column in SCHEMA]


def torn(table: pa.Table) -> bytes:
    """A Parquet file whose footer is whole and whose pages are not."""
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    content = bytearray(sink.getvalue())
    content[20:200] = bytes(180)
    return bytes(content)


def test_a_star_reads_all_files_in_order(claim: Path) -> None:
    for number in (2, 1):
        pq.write_table(flights(10, hours=100 * number), claim / f"{number}.parquet")
    table = read_source("pvc://data/*.parquet", None, SCHEMA).table
    assert table.num_rows == 20
    assert table["at"][0].as_py() < table["at"][10].as_py()


def test_quoted_lines_and_a_byte_order_mark_are_read(claim: Path) -> None:
    (claim / "a.csv").write_bytes('\ufeffcarrier,wind\n"A,\nB",1\n'.encode())
    columns = [Column.model_validate({"name": "carrier", "type": "category"}), Column.model_validate({"name": "wind", "type": "number"})]
    reading = read_source("pvc://data/a.csv", None, columns)
    assert reading.problems == []
    assert reading.table.to_pylist() == [{"carrier": "A,\nB", "wind": 1.0}]


@pytest.mark.parametrize(
    ("name", "content", "check", "words"),
    [
        pytest.param("a.json", b"{}", "UnknownFormat", "use .parquet, .csv or .csv.gz", id="format"),
        pytest.param("a.parquet", b"no parquet at all", "SourceUnreadable", "damaged", id="damaged Parquet"),
        pytest.param("a.parquet", torn(flights(5000)), "SourceUnreadable", "damaged", id="damaged page"),
        pytest.param("a.csv.gz", b"no gzip at all", "SourceUnreadable", "damaged", id="damaged gzip"),
        pytest.param("a.csv.gz", gzip.compress(csv_of(flights(5000)))[:-2000], "SourceUnreadable", "damaged", id="cut gzip"),
        pytest.param("a.csv", b"", "MissingColumn", "no column 'at'", id="file of nothing"),
        pytest.param("a.csv", csv_of(flights(0)), "SourceEmpty", "has no rows", id="no rows"),
        pytest.param("a.csv", csv_of(flights(9).drop_columns("wind")), "MissingColumn", "'wind'", id="column"),
        pytest.param("a.csv", csv_of(flights(9)).replace(b'"AA"', b'"AA",7'), "SourceUnreadable", "a.csv", id="ragged rows"),
    ],
)
def test_what_cannot_be_read_is_one_sentence(claim: Path, name: str, content: bytes, check: str, words: str) -> None:
    (claim / name).write_bytes(content)
    reading = read_source(f"pvc://data/{name}", None, SCHEMA)
    assert reading.table.num_rows == 0
    assert reading.problems[0].check == check
    assert words in reading.problems[0].message


@pytest.mark.parametrize("uri", ["pvc://data/none.parquet", "pvc://data/*.parquet", "pvc://unmounted/x.csv"])
def test_a_source_that_is_not_there_is_named(claim: Path, uri: str) -> None:
    assert claim.exists()
    (problem,) = read_source(uri, None, SCHEMA).problems
    assert problem.check == "SourceMissing"
    assert uri in problem.message


@pytest.mark.parametrize("name", ["a.csv", "a.parquet"])
def test_a_wrong_type_names_column_and_value(claim: Path, name: str) -> None:
    texts = [str(value) for value in flights(9)["wind"].to_pylist()]
    texts[3:5] = ["calm", "calm"]
    table = flights(9).set_column(2, "wind", pa.array(texts))
    if name.endswith("csv"):
        (claim / name).write_bytes(csv_of(table))
    else:
        pq.write_table(table, claim / name)
    (problem,) = read_source(f"pvc://data/{name}", None, SCHEMA).problems
    assert problem.check == "WrongType"
    assert "'wind'" in problem.message
    assert "2 values such as 'calm'" in problem.message
    assert "no number" in problem.message
