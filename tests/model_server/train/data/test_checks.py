"""Cleaning and the checks of data.checks, on tables alone."""

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from mlmodel_contract.manifest import Data
from model_server.train.data.checks import CAPTURED, Cleaning, clean, unseen_categories
from model_server.train.data.file_formats import schema_of
from model_server.train.data.lineage import digest, lineage

from tests.model_server.support.training_runs import COLUMNS, flights

NOW = datetime(2024, 3, 1, tzinfo=UTC)


def cleaned(table: pa.Table, data: Data) -> Cleaning:
    return clean(table, data, NOW)


def declared(**changes: Any) -> Data:
    raw: dict[str, Any] = {"sources": [{"uri": "pvc://data/x.csv"}], "target": "late", "time": "at", "columns": COLUMNS}
    return Data.model_validate(raw | changes)


def columns(name: str, **changes: Any) -> list[dict[str, Any]]:
    return [column | changes if column["name"] == name else column for column in COLUMNS]


def marked(table: pa.Table, captured: bool = False) -> pa.Table:
    return table.cast(schema_of(declared().columns)).append_column(CAPTURED, pa.array([captured] * table.num_rows))


def with_values(table: pa.Table, name: str, **values: Any) -> pa.Table:
    """Set values by row, such as `row3=None`."""
    found = table[name].to_pylist()
    for row, value in values.items():
        found[int(row.removeprefix("row"))] = value
    return table.set_column(table.column_names.index(name), name, pa.array(found, table.schema.field(name).type))


def checks_of(cleaning: Cleaning) -> list[str]:
    return [problem.check for problem in cleaning.problems]


def test_good_rows_pass_in_time_order() -> None:
    shuffled = marked(flights(200)).take(pa.array(np.random.default_rng(0).permutation(200)))
    cleaning = cleaned(shuffled, declared())
    assert cleaning.problems == []
    assert cleaning.dropped == {}
    assert cleaning.table["at"].to_pylist() == sorted(cleaning.table["at"].to_pylist())


def test_rows_of_the_same_time_keep_their_order() -> None:
    table = marked(flights(200))
    same = table.set_column(0, "at", pa.array([table["at"][0].as_py()] * 200, table.schema.field("at").type))
    assert cleaned(same, declared()).table["wind"].to_pylist() == table["wind"].to_pylist()


def test_values_out_of_range_are_dropped_and_judged() -> None:
    table = with_values(marked(flights(200)), "wind", row3=-1.0, row4=float("inf"))
    strict, lenient = cleaned(table, declared()), cleaned(table, declared(checks={"maxInvalid": 0.01}))
    assert checks_of(strict) == ["OutOfRange"]
    assert "column 'wind' has 2 values outside [0, 200], such as -1" in strict.problems[0].message
    assert "maxInvalid 0.00%" in strict.problems[0].message
    assert lenient.problems == []
    assert lenient.dropped == {"outOfRange": 2}


def test_too_many_missing_values_are_named() -> None:
    cleaning = cleaned(marked(flights(200)), declared(columns=columns("temp", maxMissing=0.01)))
    assert checks_of(cleaning) == ["TooManyMissing"]
    assert "'temp'" in cleaning.problems[0].message


def test_rows_without_target_or_time_are_dropped() -> None:
    table = with_values(with_values(marked(flights(200)), "late", row1=None), "at", row2=None)
    cleaning = cleaned(table, declared())
    assert cleaning.dropped == {"timeMissing": 1, "targetMissing": 1}
    assert cleaning.table.num_rows == 198


def test_repeated_rows_are_dropped_and_judged() -> None:
    table = pa.concat_tables([marked(flights(200)), marked(flights(200)).slice(0, 20)])
    assert checks_of(cleaned(table, declared(checks={"maxDuplicates": 0.05}))) == ["TooManyDuplicates"]
    lenient = cleaned(table, declared(checks={"maxDuplicates": 0.1}))
    assert lenient.problems == []
    assert lenient.dropped == {"duplicates": 20}


def test_a_live_row_that_another_source_has_too_counts_once_and_is_no_fault() -> None:
    table = pa.concat_tables([marked(flights(200)), marked(flights(30), captured=True), marked(flights(200).slice(150), captured=True)])
    cleaning = cleaned(table, declared(checks={"maxDuplicates": 0.0}))
    assert cleaning.problems == []
    assert cleaning.dropped == {"capturedTwice": 50}
    assert lineage(cleaning.table, cleaning.table.slice(0, 0), declared()).captured_rows == 30


def test_without_a_time_equal_rows_are_judged_and_kept() -> None:
    late = [True] * 10 + [False] * 190
    table = pa.table({"late": late, "wind": [5.0] * 200, "carrier": ["UA"] * 200})
    table = table.append_column(CAPTURED, pa.array([False] * 150 + [True] * 50))
    timeless = {"time": None, "columns": [column for column in COLUMNS if column["name"] in table.column_names]}
    cleaning = cleaned(table, declared(**timeless, checks={"maxDuplicates": 0.75}))
    assert cleaning.problems == []
    assert cleaning.dropped == {}
    assert cleaning.table["late"].to_pylist() == late
    assert checks_of(cleaned(table, declared(**timeless, checks={"maxDuplicates": 0.7}))) == ["TooManyDuplicates"]


@pytest.mark.parametrize(
    ("bound", "wind", "found"),
    [
        pytest.param(0.016, 5.0, [], id="bound kept"),
        pytest.param(0.01, 5.0, ["TimeInFuture"], id="bound not kept"),
        pytest.param(0.016, -1.0, ["TimeInFuture", "OutOfRange"], id="together with values out of range"),
    ],
)
def test_times_that_lie_ahead_are_dropped_and_judged(bound: float, wind: float, found: list[str]) -> None:
    ahead = datetime(3013, 1, 1, tzinfo=UTC)
    table = with_values(with_values(marked(flights(200)), "at", row2=ahead, row3=ahead, row4=ahead), "wind", row9=wind)
    cleaning = cleaned(table, declared(window="30d", checks={"maxInvalid": bound}))
    assert checks_of(cleaning) == found
    assert cleaning.dropped["timeInFuture"] == 3
    assert "beforeWindow" not in cleaning.dropped
    assert all("3013-01-01" in problem.message for problem in cleaning.problems if problem.check == "TimeInFuture")


def test_a_wrong_time_that_a_client_sent_is_dropped_and_no_fault() -> None:
    live = with_values(marked(flights(10, hours=200), captured=True), "at", row0=datetime(3013, 1, 1, tzinfo=UTC))
    cleaning = cleaned(pa.concat_tables([marked(flights(200)), live]), declared(window="30d"))
    assert cleaning.problems == []
    assert cleaning.dropped == {"timeInFuture": 1}


def test_only_the_window_before_the_newest_row_is_kept() -> None:
    cleaning = cleaned(marked(flights(300)), declared(window="5d"))
    assert cleaning.table.num_rows == 5 * 24 + 1
    assert cleaning.dropped == {"beforeWindow": 300 - 121}


def test_too_few_rows_say_what_was_dropped() -> None:
    cleaning = cleaned(marked(flights(120)), declared(window="2d"))
    assert checks_of(cleaning) == ["TooFewRows"]
    assert "49 rows are left" in cleaning.problems[0].message
    assert "beforeWindow 71" in cleaning.problems[0].message


@pytest.mark.parametrize(("bound", "found"), [(1.0, None), (0.5, None), (0.1, "UnseenCategories")])
def test_categories_that_no_training_row_has_are_judged(bound: float, found: str | None) -> None:
    rows = marked(flights(100))
    train, holdout = rows.slice(0, 80), rows.slice(80)
    holdout = with_values(holdout, "carrier", row0="ZZ", row1="ZZ", row2="YY", row3=None)
    problem = unseen_categories(train, holdout, declared(checks={"maxUnseenCategories": bound}))
    assert (problem.check if problem else None) == found


def test_the_digest_tells_rows_apart_and_nothing_else() -> None:
    schema = declared().columns
    table = marked(flights(100))
    chunked = pa.concat_tables([table.slice(0, 33), table.slice(33)])
    assert digest(table, schema) == digest(chunked, schema)
    assert digest(table, schema) == "sha256:" + digest(table, schema)[-64:]
    others = [with_values(table, "wind", row5=1.0), with_values(table, "carrier", row5=None), table.slice(1)]
    assert len({digest(other, schema) for other in [table, *others]}) == 4
