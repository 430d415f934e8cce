"""The parts of the drift detector: prior weights that sum to one, correlations, design effects, and exact state."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mlmodel_contract.bundle import BundleSchema, Profile, SchemaColumn
from mlmodel_contract.manifest import ColumnType
from mlmodel_contract.quality_metrics import Task
from mlmodel_contract.report import LossReference
from mlmodel_detection import Bucket, CorrelationReference, DriftDetector, DriftState, FeatureReference
from mlmodel_detection.drift.change_points import log_weight, most_candidates
from model_server.monitor.counting import RowCounter
from model_server.train.data.training_rows import TrainingRows
from model_server.train.profile import profile
from numpy.typing import NDArray

Floats = NDArray[np.float64]
NAMES = ("x", "y", "z")
SCHEMA = BundleSchema(
    task=Task.REGRESSION,
    features=[SchemaColumn(name=name, type=ColumnType.NUMBER) for name in NAMES],
    target="t",
    target_type=ColumnType.NUMBER,
)


def trained(rows: Floats) -> Profile:
    """The profile of a model of these rows, which predicts y."""
    columns = dict(zip(NAMES, rows.T, strict=True))
    return profile(SCHEMA, TrainingRows(columns, rows[:, 0]), rows[:, 1:2], LossReference(rows=1, mean=0, variance=0))


def counted(known: Profile, rows: Floats) -> Bucket:
    counter = RowCounter(known, SCHEMA)
    counter.update(dict(zip(NAMES, rows.T, strict=True)), rows[:, 1:2])
    return Bucket(len(rows), tuple(count for counts in counter.counts for count in counts), tuple(counter.products))


def new_detector(known: Profile, level: float = 0.005, tolerance: float = 0.05) -> DriftDetector:
    references = tuple(FeatureReference.from_counts(one) for one in RowCounter(known, SCHEMA).features())
    pairs = known.correlations
    return DriftDetector(references, level, tolerance, CorrelationReference.from_counts(pairs) if pairs else None)


def correlated(random: np.random.Generator, rows: int, correlation: float) -> Floats:
    first = random.standard_normal(rows)
    return np.column_stack([first, correlation * first + math.sqrt(1 - correlation**2) * random.standard_normal(rows), random.random(rows)])


def seasonal(random: np.random.Generator, days: int, per_day: int) -> Floats:
    """Rows whose days differ, as weather's do, though nothing changes for good."""
    return np.repeat(random.standard_normal((days, 3)), per_day, axis=0) + 0.5 * random.standard_normal((days * per_day, 3))


def test_prior_weights_of_all_candidates_sum_to_at_most_one() -> None:
    first = sum(math.exp(log_weight(start, start)) for start in range(200_000))
    assert 0.9 < first < 1


@given(st.integers(1, 10**9), st.integers(0, 10**6))
def test_a_weight_never_grows(start: int, later: int) -> None:
    assert log_weight(start, start + later) <= log_weight(start, start)


@pytest.mark.parametrize("scales", [1, 5, 10])
def test_no_more_candidates_are_retained_than_there_is_room_for(scales: int) -> None:
    for now in [*range(1, 3_000, 7), 100_000, 1_000_003]:
        recent = range(max(0, now - 13_000), now)
        assert sum(log_weight(start, now, scales) > -math.inf for start in recent) < most_candidates(scales)


@pytest.mark.slow
def test_a_correlation_that_changes_alone_is_found_and_both_are_named() -> None:
    random = np.random.default_rng(0)
    known = trained(correlated(random, 10_000, 0.3))
    detector = new_detector(known)
    for _ in range(20):
        assert detector.update(counted(known, correlated(random, 100, 0.3))).state is not DriftState.CONFIRMED
    for _ in range(30):
        verdict = detector.update(counted(known, correlated(random, 100, 0.7)))
    assert verdict.state is DriftState.CONFIRMED
    assert {change.name for change in verdict.features} >= {"x", "y"}
    assert {change.change for change in verdict.features if change.name == "x"} == {"correlation with y"}


def test_overwhelming_evidence_names_what_moved_and_nothing_else() -> None:
    random = np.random.default_rng(9)
    known = trained(correlated(random, 10_000, 0.3))
    detector = new_detector(known)
    for _ in range(30):
        verdict = detector.update(counted(known, correlated(random, 400, 0.3) + np.array([2.0, 0, 0])))
    assert verdict.evidence > 1_000
    assert [(change.name, change.change) for change in verdict.features] == [("x", "location")]
    assert verdict.features[0].size == pytest.approx(2.0, abs=0.4)
    assert verdict.severe


@pytest.mark.slow
def test_days_that_differ_are_no_drift_where_training_days_did() -> None:
    alarms = 0
    for seed in range(10):
        random = np.random.default_rng(seed)
        known = trained(seasonal(random, 200, 50))
        detector = new_detector(known)
        for _ in range(60):
            state = detector.update(counted(known, seasonal(random, 1, 50))).state
        alarms += state is DriftState.CONFIRMED
    assert alarms == 0
    assert min(feature.effect for feature in known.features) > 10


@pytest.mark.slow
def test_an_irrelevant_offset_is_tolerated_for_ever() -> None:
    random = np.random.default_rng(3)
    known = trained(correlated(random, 10_000, 0.3))
    detector = new_detector(known)
    for _ in range(200):
        verdict = detector.update(counted(known, correlated(random, 500, 0.3) + np.array([0.04, 0, 0])))
    assert verdict.state is DriftState.NONE


@settings(max_examples=20)
@given(st.lists(st.integers(1, 400), min_size=1, max_size=6), st.integers(1, 4))
def test_any_split_over_pods_gives_the_same_state(sizes: list[int], pods: int) -> None:
    random = np.random.default_rng(sum(sizes))
    known = trained(correlated(random, 2_500, 0.5))
    whole, split = new_detector(known), new_detector(known)
    for size in sizes:
        rows = correlated(random, size, 0.5)
        whole.update(counted(known, rows))
        parts = [counted(known, rows[pod::pods]) for pod in range(pods) if pod < size]
        split.update(sum(parts[1:], parts[0]))
    assert split.state == whole.state


def test_a_constant_column_is_no_trouble_and_is_found_when_it_varies() -> None:
    random = np.random.default_rng(5)
    rows = correlated(random, 3_000, 0.0)
    rows[:, 2] = 1.0
    known = trained(rows)
    detector = new_detector(known)
    for _ in range(10):
        calm = correlated(random, 100, 0.0)
        calm[:, 2] = 1.0
        assert detector.update(counted(known, calm)).state is DriftState.NONE
    for _ in range(5):
        verdict = detector.update(counted(known, correlated(random, 100, 0.0)))
    assert verdict.state is DriftState.CONFIRMED
    assert "z" in {change.name for change in verdict.features}


def test_two_copies_of_a_column_are_no_trouble() -> None:
    random = np.random.default_rng(6)
    rows = correlated(random, 3_000, 0.0)
    rows[:, 1] = rows[:, 0]
    known = trained(rows)
    detector = new_detector(known)
    for _ in range(20):
        drawn = rows[random.integers(0, len(rows), 100)]
        assert detector.update(counted(known, drawn)).state is DriftState.NONE
