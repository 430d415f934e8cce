"""The drift detector on simulated streams: false alarms, power, and the features that are named."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from mlmodel_contract.report import FeatureKind
from mlmodel_detection import Bucket, DriftDetector, DriftState, FeatureReference
from scipy.stats import binom

from tests.detection.support.reports import Feature, features, normal_slots

pytestmark = pytest.mark.slow

BUCKETS = 100


def new_detector(made: Sequence[Feature], level: float, tolerance: float = 0.05) -> DriftDetector:
    references = tuple(FeatureReference(feature.name, feature.kind, tuple(feature.reference.tolist())) for feature in made)
    return DriftDetector(references, level, tolerance)


def bucket(made: Sequence[Feature], random: np.random.Generator, rows: int) -> Bucket:
    return Bucket(rows, tuple(np.concatenate([feature.draw(random, rows) for feature in made]).tolist()))


@pytest.mark.parametrize(("rows", "streams"), [(40, 200), (400, 80)], ids=["slow", "busy"])
def test_streams_without_drift_alarm_as_seldom_as_promised(rows: int, streams: int) -> None:
    level, suspected, confirmed = 0.1, 0, 0
    for seed in range(streams):
        random = np.random.default_rng(seed)
        made = features(random, numbers=1, rows=3_000)
        detector = new_detector(made, level, tolerance=0.0)
        for _ in range(BUCKETS):
            verdict = detector.update(bucket(made, random, rows))
        confirmed += verdict.state is DriftState.CONFIRMED
        suspected += verdict.state is not DriftState.NONE
    assert confirmed <= binom.ppf(0.999, streams, level)
    assert suspected <= binom.ppf(0.999, streams, 0.5)


def found_after(made: Sequence[Feature], drifted: Sequence[Feature], calm: int, limit: int) -> tuple[int, tuple[str, ...]]:
    """Rows from the change to the alarm, and the features that it names; -1 where nothing is found within the limit."""
    random = np.random.default_rng(7)
    detector = new_detector(made, 0.005)
    for _ in range(calm // 50):
        assert detector.update(bucket(made, random, 50)).state is not DriftState.CONFIRMED
    for rows in range(50, limit + 1, 50):
        verdict = detector.update(bucket(drifted, random, 50))
        if verdict.state is DriftState.CONFIRMED:
            return rows, tuple(change.name for change in verdict.features)
    return -1, ()


def changed(made: Sequence[Feature], name: str, probabilities: Callable[[Feature], np.ndarray]) -> list[Feature]:
    return [Feature(f.name, f.kind, probabilities(f), f.reference) if f.name == name else f for f in made]


@pytest.mark.parametrize(
    ("shift", "calm", "limit"),
    [(0.5, 0, 400), (1.0, 0, 200), (0.5, 20_000, 1_500), (0.25, 20_000, 6_000), (1.0, 20_000, 500)],
    ids=str,
)
def test_a_shifted_number_is_found_soon_and_named(shift: float, calm: int, limit: int) -> None:
    made = features(np.random.default_rng(1), numbers=19)
    rows, named = found_after(made, changed(made, "x3", lambda _: normal_slots(shift)), calm, limit)
    assert 0 < rows <= limit
    assert named == ("x3",)


def test_a_wider_spread_is_found() -> None:
    made = features(np.random.default_rng(2))
    rows, named = found_after(made, changed(made, "x1", lambda _: normal_slots(spread=1.5)), 2_000, 1_000)
    assert rows > 0
    assert named == ("x1",)


def test_missing_values_are_found() -> None:
    made = features(np.random.default_rng(3))
    rows, named = found_after(made, changed(made, "x0", lambda _: normal_slots(missing=0.2)), 2_000, 1_000)
    assert rows > 0
    assert named == ("x0",)


def test_a_category_that_comes_up_more_is_found() -> None:
    made = features(np.random.default_rng(4))
    moved = np.r_[0.2, np.zeros(11)]
    rows, named = found_after(made, changed(made, "carrier", lambda f: f.probabilities * 0.8 + moved), 2_000, 1_000)
    assert rows > 0
    assert named == ("carrier",)


def test_what_is_confirmed_stays_confirmed_when_the_rows_return_to_normal() -> None:
    random = np.random.default_rng(5)
    made = features(random)
    detector = new_detector(made, 0.005)
    detector.update(bucket(changed(made, "x0", lambda _: normal_slots(1.0)), random, 1_000))
    (before,) = detector.verdict().features
    after = detector.update(bucket(made, random, 500_000))
    assert after.state is DriftState.CONFIRMED
    assert before in after.features


def test_weaker_evidence_is_suspicion() -> None:
    reference = FeatureReference("x", FeatureKind.NUMERIC, (5_000, 5_000, 0))
    states = [DriftDetector((reference,), 0.005).update(Bucket(1_000, (more, 1_000 - more, 0))).state.value for more in range(500, 640, 5)]
    assert states == sorted(states, key=["None", "Suspected", "Confirmed"].index)
    assert set(states) == {"None", "Suspected", "Confirmed"}


def test_a_detector_goes_on_from_the_state_of_another() -> None:
    random = np.random.default_rng(6)
    made = features(random)
    buckets = [bucket(made, random, 130) for _ in range(30)]
    whole, part = new_detector(made, 0.005), new_detector(made, 0.005)
    for one in buckets:
        whole.update(one)
        part.update(one)
        part = DriftDetector(part.references, 0.005, state=part.state)
    assert part.state == whole.state


def test_an_empty_bucket_changes_nothing() -> None:
    made = features(np.random.default_rng(8))
    detector = new_detector(made, 0.005)
    before = detector.state
    detector.update(Bucket(0, (0,) * len(before.waiting.cells)))
    assert detector.state == before


def test_calm_that_may_be_blindness_names_what_could_not_have_been_seen() -> None:
    reference = normal_slots() * 8_760
    cells = tuple(int(rows) for rows in normal_slots() * 1_500)
    seen, blind = (
        FeatureReference(name, FeatureKind.NUMERIC, tuple(map(int, reference)), effect) for name, effect in (("x", 3.0), ("t", 1_400.0))
    )
    verdict = DriftDetector((seen, blind), 0.005).update(Bucket(sum(cells), cells * 2))
    (spot,) = verdict.blind_spots
    assert (verdict.state, spot.name) == (DriftState.NONE, "t")
    assert spot.size > 3
    shown = DriftDetector((replace(blind, effect=12.0),), 0.005)
    (smaller,) = shown.update(Bucket(sum(cells), cells)).blind_spots
    assert 0.5 < smaller.size < 0.8
    shift = np.round(normal_slots(smaller.size + 0.1) * 1_500).astype(int)
    detector = DriftDetector((replace(blind, effect=12.0),), 0.005)
    assert detector.update(Bucket(int(shift.sum()), tuple(shift.tolist()))).state is DriftState.CONFIRMED


def test_evidence_never_exceeds_what_the_references_own_error_allows() -> None:
    known = FeatureReference("p", FeatureKind.NUMERIC, tuple(int(rows) for rows in normal_slots() * 100_000), reference_error=0.01)
    moved = tuple(int(rows) for rows in normal_slots(0.2) * 1_000_000)
    bucket = Bucket(sum(moved), moved)
    assert DriftDetector((known,), 0.005).update(bucket).state is DriftState.NONE
    assert DriftDetector((replace(known, reference_error=0.0),), 0.005).update(bucket).state is DriftState.CONFIRMED
