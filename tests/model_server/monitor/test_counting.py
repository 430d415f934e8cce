"""Slots, row accounts and losses: the sidecar's arithmetic."""

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlmodel_contract.bundle import BundleSchema, FeatureProfile, Profile, SchemaColumn
from mlmodel_contract.manifest import ColumnType
from mlmodel_contract.quality_metrics import Task
from mlmodel_contract.report import MICRO, MOST_UNITS, PREDICTION, FeatureKind, LabelCounts, LossReference
from model_server.binning.monitored_prediction import monitored_prediction
from model_server.binning.slots import FeatureBinner
from model_server.monitor.counting import RowCounter
from model_server.monitor.label_delay import LabelDelay
from model_server.monitor.row_accounting import RowAccount
from model_server.monitor.scoring import Scorer
from model_server.monitor.slot_names import slot_names

from devtools.bundles import late_flights, minutes, species

LOSS = LossReference(rows=100, mean=0.5, variance=0.2)

DAY = 86_400.0


def numeric(*edges: float) -> FeatureProfile:
    return FeatureProfile(name="x", kind=FeatureKind.NUMERIC, edges=list(edges), counts=[0] * (len(edges) + 2))


def counted(profile: FeatureProfile, values: list[Any]) -> list[int]:
    """Rows by slot."""
    binner = FeatureBinner([profile])
    slots = binner.digitize({profile.name: values}, len(values))[0]
    return [int(rows) for rows in np.bincount(slots, minlength=binner.slot_count)]


def categorical(*categories: str) -> FeatureProfile:
    return FeatureProfile(name="x", kind=FeatureKind.CATEGORICAL, categories=list(categories), counts=[0] * (len(categories) + 2))


@pytest.mark.parametrize(
    ("profile", "values", "counts"),
    [
        (numeric(0.0, 1.0), [-5, 0, 0.5, 1, 1.5, None, math.nan], [2, 2, 1, 2]),
        (numeric(), [1.0, None, 2.0], [2, 1]),
        (categorical("a", "b"), ["b", "a", "b", "new", None, ""], [1, 2, 1, 2]),
        (categorical("false", "true"), [True, False, True, None], [1, 2, 0, 1]),
        (categorical(), ["a", None], [1, 1]),
    ],
    ids=["numbers", "number that had one value", "categories", "booleans", "category that was always missing"],
)
def test_values_fall_into_the_slots_of_the_profile(profile: FeatureProfile, values: list[Any], counts: list[int]) -> None:
    assert counted(profile, values) == counts


@given(
    edges=st.lists(st.floats(-10, 10), min_size=1, max_size=5, unique=True).map(sorted),
    values=st.lists(st.none() | st.floats(-20, 20)),
)
def test_numeric_slots_are_open_below_and_closed_above(edges: list[float], values: list[float | None]) -> None:
    bounds = [-math.inf, *edges, math.inf]
    expected = [sum(value is not None and low < value <= high for value in values) for low, high in pairwise(bounds)]
    assert counted(numeric(*edges), values) == [*expected, values.count(None)]


def row_counter() -> RowCounter:
    prediction = numeric(0.5).model_copy(update={"name": PREDICTION})
    loss = LossReference(rows=1, mean=0, variance=0)
    features = [SchemaColumn(name="x", type=ColumnType.NUMBER, min=-2, max=2)]
    schema = BundleSchema(task=Task.CLASSIFICATION, features=features, target="y", target_type=ColumnType.BOOLEAN)
    return RowCounter(Profile(rows=1, features=[numeric(0.0), prediction], loss=loss), schema)


def test_a_damaged_batch_counts_nothing_at_all() -> None:
    counter = row_counter()
    predictions = np.array([[0.4, 0.6], [0.9, 0.1]])
    for columns in ({"x": [1.0]}, {"x": ["a", "b"]}):
        with pytest.raises(ValueError):  # noqa: PT011 (numpy's own words)
            counter.update(columns, predictions)
    assert counter.counts == [[0, 0, 0], [0, 0, 0]]
    counter.update({"x": [-1.0, 1.0]}, predictions)
    counter.update({}, predictions)
    assert counter.counts == [[1, 1, 2], [2, 2, 0]]


def test_a_report_names_its_slots_for_people() -> None:
    assert [feature.slots for feature in row_counter().features()] == [["<= 0", "> 0", "missing"], ["<= 0.5", "> 0.5", "missing"]]


@pytest.mark.parametrize(
    ("profile", "names"),
    [
        (numeric(-1234567.0, 0.123456), ["<= -1.235e+06", "<= 0.1235", "> 0.1235", "missing"]),
        (numeric(), ["any number", "missing"]),
        (categorical("UA", "x" * 41), ["UA", "x" * 40, "other", "missing"]),
    ],
    ids=["numbers", "number that had one value", "categories"],
)
def test_slots_have_short_names_one_each(profile: FeatureProfile, names: list[str]) -> None:
    assert slot_names([profile]) == [names]
    assert len(names) == FeatureBinner([profile]).slot_count


def test_slots_of_a_sensitive_column_are_not_named() -> None:
    secret = categorical("HIV", "none").model_copy(update={"name": "diagnosis"})
    assert slot_names([secret, numeric(0.5)], {"diagnosis"}) == [[], ["<= 0.5", "> 0.5", "missing"]]
    prediction = numeric(0.5).model_copy(update={"name": PREDICTION})
    schema = BundleSchema(
        task=Task.CLASSIFICATION,
        features=[SchemaColumn(name="diagnosis", type=ColumnType.CATEGORY, sensitive=True)],
        target="y",
        target_type=ColumnType.BOOLEAN,
    )
    counter = RowCounter(Profile(rows=1, features=[secret, prediction], loss=LossReference(rows=1, mean=0, variance=0)), schema)
    assert "HIV" not in str([feature.wire() for feature in counter.features()])


def test_names_that_would_make_a_report_too_large_to_write_are_left_out() -> None:
    wide = [categorical(*("\x01" * 38 + str(place) for place in range(30)))] * 256
    assert slot_names(wide) == [[]] * 256


def test_counts_of_other_slots_are_not_added() -> None:
    counter = row_counter()
    assert not counter.add_earlier([[1, 2], [1, 1, 1]], [], [0, 0])
    assert counter.add_earlier([[1, 0, 0], [0, 1, 0]], [], [1, 0])
    assert counter.counts == [[1, 0, 0], [0, 1, 0]]
    assert counter.outside == [1, 0]


def test_values_out_of_range_are_counted_and_missing_ones_are_not() -> None:
    counter = row_counter()
    counter.update({"x": [-2.5, -2.0, 2.0, 2.1, None]}, np.full((5, 2), 0.5))
    assert counter.outside == [2, 0]


def test_the_prediction_that_is_counted() -> None:
    assert monitored_prediction(np.array([[0.2, 0.8]]), Task.CLASSIFICATION).tolist() == [0.8]
    assert monitored_prediction(np.array([[0.2, 0.5, 0.3]]), Task.CLASSIFICATION).tolist() == [0.5]
    assert monitored_prediction(np.array([[7.0]]), Task.REGRESSION).tolist() == [7.0]


@given(st.lists(st.tuples(st.integers(1, 50), st.booleans(), st.booleans()), max_size=40))
def test_served_is_counted_plus_missed_whatever_arrives(batches: list[tuple[int, bool, bool]]) -> None:
    """Batches are lost, and servers start anew, at random; the last batch of each server arrives."""
    account = RowAccount(LabelDelay(DAY))
    arrived = sent = served = 0
    server = 0
    for rows, lost, new_server in batches:
        if new_server:
            account.add_batch(f"server {server}", served, 0, 0.0)
            server, served = server + 1, 0
        served += rows
        sent += rows
        if not lost:
            arrived += rows
            account.add_batch(f"server {server}", served, rows, 0.0)
    account.add_batch(f"server {server}", served, 0, 0.0)
    assert (account.served, account.counted, account.missed) == (sent, arrived, sent - arrived)


def test_an_account_goes_on_from_its_dump() -> None:
    account = RowAccount(LabelDelay(DAY))
    account.add_batch("a", 10, 10, 1000.0)
    restarted = RowAccount(LabelDelay(DAY))
    restarted.load(account.dump())
    restarted.add_batch("a", 25, 5, 1000.0)
    assert restarted.rows() == {"served": 25, "counted": 15, "missed": 10, "captured": 0, "due": 0}


def test_the_rows_of_as_many_workers_as_a_pod_may_have_are_counted_once() -> None:
    """After a restart of the server, too, when those before are forgotten, and no other."""
    account = RowAccount(LabelDelay(DAY))
    for life in range(3):
        for turn in range(1, 6):
            for worker in range(16):
                account.add_batch(f"life {life}, worker {worker}", 3 * turn, 2, 0.0)
    assert (account.served, account.counted, account.missed) == (3 * 5 * 16 * 3, 2 * 5 * 16 * 3, 5 * 16 * 3)


def test_rows_become_due_when_the_label_delay_is_over() -> None:
    account = RowAccount(LabelDelay(DAY))
    account.add_batch("a", 10, 10, 0.0)
    account.add_batch("a", 15, 5, 2 * DAY)
    account.advance(DAY - 1)
    assert account.due == 0
    account.advance(DAY * 1.1)
    assert account.due == 10
    account.advance(DAY * 3.1)
    assert account.due == 15


def test_binary_labels_are_scored() -> None:
    scorer = Scorer(late_flights().schema, LOSS)
    counts = scorer.zero_counts()
    for probability, truth in ((0.75, True), (0.75, False), (1.0, False), (0.0, False)):
        counts = scorer.add(counts, [probability], truth) or counts
    losses = [-math.log(0.75), -math.log(0.25), 15.0, 0.0]
    assert counts.rows == 4
    assert counts.loss == pytest.approx(sum(losses) * MICRO, abs=2)
    assert counts.loss_squared == pytest.approx(sum(loss**2 for loss in losses) * MICRO, abs=2)
    assert counts.correct == 2
    assert counts.squared_error == pytest.approx((0.0625 + 0.5625 + 1 + 0) * MICRO)
    assert {place: rows for place, rows in enumerate(counts.scores_of_positives) if rows} == {75: 1}
    assert {place: rows for place, rows in enumerate(counts.scores_of_negatives) if rows} == {0: 1, 75: 1, 99: 1}


def test_labels_of_many_classes_are_scored_also_one_never_seen() -> None:
    scorer = Scorer(species().schema, LOSS)
    counts = scorer.add(scorer.zero_counts(), [0.1, 0.7, 0.2], "versicolor")
    assert counts is not None
    assert (counts.rows, counts.correct, counts.loss) == (1, 1, round(-math.log(0.7) * MICRO))
    counts = scorer.add(counts, [0.1, 0.7, 0.2], "a new species")
    assert counts is not None
    assert (counts.rows, counts.correct, counts.loss) == (2, 1, round(-math.log(0.7) * MICRO) + 15 * MICRO)
    assert counts.scores_of_positives == []


def test_classes_that_are_whole_numbers() -> None:
    schema = BundleSchema(
        task=Task.CLASSIFICATION,
        features=species().schema.features,
        target="digit",
        target_type=ColumnType.NUMBER,
        classes=[0, 1],
    )
    counts = Scorer(schema, LOSS).add(Scorer(schema, LOSS).zero_counts(), [0.9], 1)
    assert counts is not None
    assert counts.correct == 1


def test_numbers_are_scored() -> None:
    scorer = Scorer(minutes().schema, LOSS)
    counts = scorer.add(scorer.zero_counts(), [3.0], 5)
    assert counts == LabelCounts(
        rows=1,
        loss=4 * MICRO,
        loss_squared=16 * MICRO,
        squared_error=4 * MICRO,
        absolute_error=2 * MICRO,
        truth=5 * MICRO,
        truth_squared=25 * MICRO,
    )


def test_prices_are_scored_in_the_unit_of_their_holdout() -> None:
    """Each is counted, also one that is far off, and the sums of a hundred thousand such fit into what the API can hold."""
    scorer = Scorer(minutes().schema, LOSS.model_copy(update={"unit": 1e5, "center": 3e5}))
    counts = scorer.zero_counts()
    for error in (2e4, -5e4, 3e6):
        counts = scorer.add(counts, [4e5 + error], 4e5) or counts
    assert counts == LabelCounts(
        rows=3,
        loss=round((0.04 + 0.25 + 900) * MICRO),
        loss_squared=round((0.0016 + 0.0625 + 810_000) * MICRO),
        squared_error=round((0.04 + 0.25 + 900) * MICRO),
        absolute_error=round((0.2 + 0.5 + 30) * MICRO),
        truth=3 * MICRO,
        truth_squared=3 * MICRO,
    )
    assert counts.loss_squared * 100_000 < 2**63


@pytest.mark.parametrize("truth", [1e9, 1e38, 1e308, -1e9])
def test_a_wild_label_counts_as_a_large_error_and_leaves_room_for_others(truth: float) -> None:
    scorer = Scorer(minutes().schema, LOSS)
    counts = scorer.zero_counts()
    for _ in range(1_000):
        counts = scorer.add(counts, [0.0], truth) or counts
    assert (counts.rows, counts.absolute_error) == (1_000, 1_000 * round(MOST_UNITS) * MICRO)


def test_a_label_that_is_no_number_of_this_machine_is_not_scored() -> None:
    scorer = Scorer(minutes().schema, LOSS)
    assert scorer.add(scorer.zero_counts(), [0.0], 10**400) is None


def test_an_id_of_another_number_of_classes_is_not_scored() -> None:
    scorer = Scorer(species().schema, LOSS)
    assert scorer.add(scorer.zero_counts(), [0.5], "setosa") is None
