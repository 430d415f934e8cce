"""Tables: data frames and mappings alike, what counts as a number, a category and a missing value, and verdicts after any batches."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from mlmodel_detection import TableDetector, TableVerdict
from numpy.typing import NDArray


def table(seed: int, rows: int, shift: float = 0.0) -> dict[str, NDArray[Any]]:
    random = np.random.default_rng(seed)
    return {"x": random.normal(shift, 1, rows), "city": random.choice(["a", "b", "c"], rows, p=[0.6, 0.3, 0.1]).astype(object)}


def after(detector: TableDetector, rows: dict[str, NDArray[Any]], batch: int = 100) -> TableVerdict:
    for start in range(0, len(rows["x"]), batch):
        verdict = detector.update({name: values[start : start + batch] for name, values in rows.items()})
    return verdict


def test_rows_like_the_reference_are_no_drift() -> None:
    verdict = after(TableDetector(table(0, 3_000)), table(1, 5_000))
    assert (verdict.rows, verdict.drift.state, verdict.feed.state) == (5_000, "None", "Healthy")


def test_a_shift_is_confirmed_named_and_dated() -> None:
    detector = TableDetector(table(0, 3_000))
    after(detector, table(1, 1_000))
    verdict = after(detector, table(2, 1_000, shift=0.5))
    assert verdict.drift.state == "Confirmed"
    assert [(change.name, change.change, change.since) for change in verdict.drift.features] == [("x", "location", "1000")]


def test_a_batchs_time_is_shown() -> None:
    detector = TableDetector(table(0, 3_000))
    verdict = detector.update(table(1, 1_000, shift=1.0), time="2024-05-01")
    assert verdict.drift.features[0].since == "2024-05-01"


def test_columns_may_have_names_that_are_no_texts() -> None:
    values = np.random.default_rng(0).normal(size=(2_000, 2))
    detector = TableDetector(pd.DataFrame(values))
    verdict = detector.update(pd.DataFrame(values + np.array([0.0, 1.0])))
    assert [change.name for change in verdict.drift.features] == ["1"]
    with pytest.raises(ValueError, match="two columns have the name '1' as text"):
        TableDetector({1: values[:, 0], "1": values[:, 1]})


@pytest.mark.parametrize("unit", ["s", "us", "ns"])
def test_times_are_numbers_and_may_be_missing(unit: str) -> None:
    times = np.arange("2024-01-01T00", "2024-03-01T00", dtype="M8[h]").astype(f"M8[{unit}]")
    detector = TableDetector({"at": times})
    assert detector.update({"at": times[::4]}).drift.state == "None"
    missing = detector.update({"at": np.full(400, "NaT", f"M8[{unit}]")})
    assert [(fault.name, fault.kind) for fault in missing.feed.faults] == [("at", "Missing")]


def test_dependent_rows_weigh_less_for_the_feed_too() -> None:
    reference = {"x": np.where(np.arange(3_000) % 10 == 0, np.nan, np.arange(3_000.0))}
    rows = {"x": np.where(np.arange(400) % 2 == 0, np.nan, np.arange(400.0))}
    assert TableDetector(reference).update(rows).feed.state == "Broken"
    assert TableDetector(reference, design_effect=30.0).update(rows).feed.state == "Healthy"


def test_dependent_rows_weigh_less() -> None:
    rows = table(1, 300, shift=0.5)
    assert TableDetector(table(0, 3_000)).update(rows).drift.state == "Confirmed"
    assert TableDetector(table(0, 3_000), design_effect=30.0).update(rows).drift.state == "None"


def test_a_data_frame_and_a_mapping_give_the_same_verdicts() -> None:
    frames, mappings = TableDetector(pd.DataFrame(table(0, 2_000))), TableDetector(table(0, 2_000))
    for seed, shift in [(1, 0.0), (2, 0.3), (3, 0.6)]:
        rows = table(seed, 400, shift)
        assert frames.update(pd.DataFrame(rows)) == mappings.update(rows)


@pytest.mark.parametrize(
    "values",
    [
        pd.Series([1, 2, 3, None] * 500, dtype="Int64"),
        pd.Series([1.0, 2.0, 3.0, None] * 500, dtype="Float64"),
        pd.Series([1.0, 2.0, 3.0, np.nan] * 500),
        np.array([1, 2, 3, None] * 500, object),
    ],
    ids=["Int64", "Float64", "float64", "objects"],
)
def test_numbers_are_numbers_in_each_form_and_may_be_missing(values: Any) -> None:
    present = TableDetector({"x": values}).update({"x": np.array([1.0, 2.0, 3.0, np.nan] * 100)})
    missing = TableDetector({"x": values}).update({"x": np.full(400, np.nan)})
    assert (present.drift.state, present.feed.state) == ("None", "Healthy")
    assert [(fault.name, fault.kind, fault.share) for fault in missing.feed.faults] == [("x", "Missing", 1.0)]


@pytest.mark.parametrize(
    "values",
    [pd.Series(["a", "b", None, "b"] * 500), pd.Series(["a", "b", None, "b"] * 500, dtype="category"), ["a", "b", None, "b"] * 500],
    ids=["text", "category", "list"],
)
def test_texts_are_categories_in_each_form_and_may_be_missing_or_new(values: Any) -> None:
    detector = TableDetector({"city": values})
    assert detector.update({"city": ["a", "b", None, "b"] * 100}).drift.state == "None"
    verdict = detector.update({"city": ["new", "other"] * 300})
    assert {(fault.name, fault.kind) for fault in verdict.feed.faults} == {("city", "Unseen"), ("city", "Constant")}


def test_a_broken_feed_is_no_drift_and_drift_is_tested_anew_when_it_is_mended() -> None:
    detector = TableDetector(table(0, 3_000))
    after(detector, table(1, 1_000))
    broken = after(detector, {**table(2, 1_000), "x": np.full(1_000, np.nan)})
    assert (broken.drift.state, broken.feed.state) == ("None", "Broken")
    mended = after(detector, table(3, 2_000))
    assert (mended.rows, mended.drift.state, mended.feed.state) == (4_000, "None", "Healthy")


def test_a_constant_column_and_one_without_values_are_no_trouble() -> None:
    rows = {"one": np.ones(500), "none": np.full(500, np.nan), "x": np.random.default_rng(0).random(500)}
    assert TableDetector(rows).update(rows).drift.state == "None"


def test_tables_that_are_none_are_refused() -> None:
    with pytest.raises(ValueError, match="the reference has no rows"):
        TableDetector({"x": np.zeros(0)})
    with pytest.raises(ValueError, match="of the same length"):
        TableDetector({"x": np.zeros(3), "y": np.zeros(4)})
    with pytest.raises(ValueError, match="a table needs columns"):
        TableDetector({})
    detector = TableDetector({"x": np.arange(100.0)})
    with pytest.raises(KeyError, match="x"):
        detector.update({"y": np.zeros(3)})
    with pytest.raises(ValueError, match="could not convert"):
        detector.update({"x": ["text"]})


@pytest.mark.slow
def test_tables_without_drift_alarm_as_seldom_as_promised() -> None:
    alarms = 0
    for seed in range(100):
        detector = TableDetector(table(2 * seed, 2_000), false_alarm_probability=0.1, tolerance=0.0)
        verdict = after(detector, table(2 * seed + 1, 5_000))
        alarms += verdict.drift.state == "Confirmed" or verdict.feed.state == "Broken"
    assert alarms <= 18  # 99.7% of 100 streams at one in ten


def test_categories_that_were_the_most_frequent_by_chance_are_no_drift() -> None:
    for seed in range(10):
        random = np.random.default_rng(seed)
        zips = np.array([f"z{code}" for code in random.integers(0, 200, 13_000)], object)
        detector = TableDetector({"zip": zips[:3_000]})
        for start in range(3_000, 13_000, 500):
            verdict = detector.update({"zip": zips[start : start + 500]})
        assert (verdict.drift.state, verdict.feed.state) == ("None", "Healthy")
