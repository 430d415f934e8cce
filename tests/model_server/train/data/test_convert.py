"""Values of files become the declared types, or are named."""

from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest
from mlmodel_contract.manifest import ColumnType
from model_server.train.data.convert import convert

NEW_YEAR = datetime(2024, 1, 1, 12, 30, tzinfo=UTC)

FITTING: list[Any] = [
    pytest.param(ColumnType.NUMBER, pa.array([1, 2, None]), [1.0, 2.0, None], id="whole numbers"),
    pytest.param(ColumnType.NUMBER, pa.array([1.5, float("nan")]), [1.5, None], id="NaN is missing"),
    pytest.param(ColumnType.NUMBER, pa.array([" 1.5", "-2e3", "", "NA", "nan"]), [1.5, -2000.0, None, None, None], id="texts of numbers"),
    pytest.param(ColumnType.NUMBER, pa.array(["-nan", "NAN", "+Nan", "2"]), [None, None, None, 2.0], id="texts of NaN"),
    pytest.param(ColumnType.NUMBER, pa.array([True, False]), [1.0, 0.0], id="booleans as numbers"),
    pytest.param(ColumnType.CATEGORY, pa.array(["x", "", "NA", None]), ["x", None, "NA", None], id="NA is a category"),
    pytest.param(ColumnType.CATEGORY, pa.array([7, None]), ["7", None], id="whole numbers as categories"),
    pytest.param(ColumnType.CATEGORY, pa.array([7.0, float("nan")]), ["7", None], id="whole floats as categories"),
    pytest.param(ColumnType.CATEGORY, pa.array(["x", "y"]).dictionary_encode(), ["x", "y"], id="dictionaries"),
    pytest.param(ColumnType.BOOLEAN, pa.array(["true", "0", "Yes", "NA"]), [True, False, True, None], id="texts of booleans"),
    pytest.param(ColumnType.BOOLEAN, pa.array([1.0, 0.0, float("nan")]), [True, False, None], id="numbers as booleans"),
    pytest.param(ColumnType.TIME, pa.array(["2024-01-01T12:30:00Z", "2024-01-01 12:30"]), [NEW_YEAR, NEW_YEAR], id="texts of times"),
    pytest.param(ColumnType.TIME, pa.array(["2024-01-01T14:30:00+02:00", ""]), [NEW_YEAR, None], id="times of another zone"),
    pytest.param(ColumnType.TIME, pa.array([NEW_YEAR], pa.timestamp("ns", tz="America/New_York")), [NEW_YEAR], id="timestamps"),
    pytest.param(
        ColumnType.TIME, pa.array([NEW_YEAR.replace(tzinfo=None)], pa.timestamp("ms")), [NEW_YEAR], id="times without a zone are UTC"
    ),
    pytest.param(ColumnType.TIME, pa.array([NEW_YEAR.date()]), [NEW_YEAR.replace(hour=0, minute=0)], id="dates"),
    pytest.param(ColumnType.CATEGORY, pa.nulls(2), [None, None], id="a column of nothing"),
]

UNFITTING: list[Any] = [
    pytest.param(ColumnType.NUMBER, pa.array(["1", "ten", "eleven"]), "ten", 2, id="text among numbers"),
    pytest.param(ColumnType.NUMBER, pa.array([NEW_YEAR]), "2024", 1, id="time as number"),
    pytest.param(ColumnType.CATEGORY, pa.array([1.0, 1.5]), "1.5", 1, id="fraction as category"),
    pytest.param(ColumnType.CATEGORY, pa.array([[1], None]), "[1]", 1, id="list as category"),
    pytest.param(ColumnType.BOOLEAN, pa.array(["true", "maybe"]), "maybe", 1, id="text among booleans"),
    pytest.param(ColumnType.BOOLEAN, pa.array([0, 1, 2]), "2", 1, id="number among booleans"),
    pytest.param(ColumnType.TIME, pa.array(["2024-01-01", "yesterday"]), "yesterday", 1, id="text among times"),
    pytest.param(ColumnType.TIME, pa.array(["2024-01-01", "2024-13-41"]), "2024-13-41", 1, id="a day that is none"),
    pytest.param(ColumnType.TIME, pa.array([1704067200]), "1704067200", 1, id="seconds as time"),
]


@pytest.mark.parametrize(("kind", "values", "expected"), FITTING)
def test_values_become_the_declared_type(kind: ColumnType, values: Any, expected: list[Any]) -> None:
    converted = convert(values, kind)
    assert converted.values.to_pylist() == expected
    assert converted.wrong == 0


@pytest.mark.parametrize(("kind", "values", "example", "count"), UNFITTING)
def test_values_that_do_not_fit_are_counted_with_an_example(kind: ColumnType, values: Any, example: str, count: int) -> None:
    converted = convert(values, kind)
    assert converted.wrong == count
    assert converted.example.startswith(example)
    assert len(converted.values) == len(values)
