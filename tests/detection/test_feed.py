"""Broken feeds: found soon and named, never where rows merely drift, and forgotten when they are mended."""

import numpy as np
import pytest
from mlmodel_contract.report import FeatureKind, MonitorReportSpec
from mlmodel_detection import Evidence, FeatureReference, evaluate
from mlmodel_detection.feed import FeedDetector, FeedVerdict
from numpy.typing import NDArray

from tests.detection.support.reports import NOW, SETTINGS, Counts, Feature, features, normal_slots, report

Changed = dict[str, NDArray[np.float64]]

RANDOM = np.random.default_rng(1)
MADE = features(RANDOM)
REFERENCES = tuple(FeatureReference(one.name, one.kind, tuple(one.reference.tolist())) for one in MADE)
NONE_OUTSIDE = (0,) * len(MADE)


def cells(drawn: list[Counts]) -> tuple[int, ...]:
    return tuple(np.concatenate(drawn).tolist())


def rows(random: np.random.Generator, number: int, changed: Changed | None = None) -> list[Counts]:
    """Rows by slot; a feature may have other probabilities."""
    return [random.multinomial(number, (changed or {}).get(one.name, one.probabilities)) for one in MADE]


def all_in(feature: str, slot: int) -> Changed:
    (one,) = (one for one in MADE if one.name == feature)
    return {feature: np.eye(len(one.reference))[slot]}


def updated(detector: FeedDetector, random: np.random.Generator, looks: int, changed: Changed | None = None, each: int = 60) -> FeedVerdict:
    for _ in range(looks):
        verdict = detector.update(each, cells(rows(random, each, changed)), NONE_OUTSIDE, "now")
    return verdict


def new_detector() -> FeedDetector:
    return FeedDetector(REFERENCES, 0.001)


@pytest.mark.parametrize(
    ("feature", "slot", "kind", "looks"),
    [("x0", -1, "Missing", 1), ("carrier", -2, "Unseen", 1), ("x1", 7, "Constant", 18), ("prediction", 7, "Constant", 18)],
)
def test_a_broken_feed_is_found_after_long_calm_and_named(feature: str, slot: int, kind: str, looks: int) -> None:
    random = np.random.default_rng(0)
    detector = new_detector()
    assert updated(detector, random, 500).state == "Healthy"
    verdict = updated(detector, random, looks, all_in(feature, slot))
    assert verdict.state == "Broken"
    assert [(fault.name, fault.kind) for fault in verdict.faults] == [(feature, kind)]


def test_values_out_of_range_are_found() -> None:
    random = np.random.default_rng(2)
    detector = new_detector()
    updated(detector, random, 10)
    verdict = detector.update(60, cells(rows(random, 60)), (40, *NONE_OUTSIDE[1:]), "now")
    assert [(fault.name, fault.kind, round(fault.share, 2)) for fault in verdict.faults] == [("x0", "OutOfRange", 0.67)]


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"x0": normal_slots(1.0)},
        {"x0": normal_slots(spread=2.0)},
        {"x0": normal_slots(missing=0.15)},
    ],
    ids=["nothing", "a large shift", "a large spread", "more missing values"],
)
def test_drift_is_no_broken_feed(changed: Changed) -> None:
    for seed in range(5):
        assert updated(new_detector(), np.random.default_rng(seed), 400, changed).state == "Healthy"


def test_a_few_rows_say_nothing() -> None:
    assert updated(new_detector(), np.random.default_rng(3), 1, all_in("x0", -1), each=30).state == "Unknown"


def test_a_column_that_is_often_missing_may_be() -> None:
    often = FeatureReference("x", FeatureKind.NUMERIC, (200, 200, 600))
    detector = FeedDetector((often,), 0.001)
    for _ in range(100):
        assert detector.update(60, (12, 12, 36), (0,), "now").state == "Healthy"
    assert detector.update(500, (0, 0, 500), (0,), "now").state == "Broken"


def test_a_detector_goes_on_from_a_stored_state() -> None:
    random = np.random.default_rng(4)
    whole, part = new_detector(), new_detector()
    for look in range(40):
        drawn = cells(rows(random, 70, all_in("x0", -1) if look > 20 else None))
        part = FeedDetector(REFERENCES, 0.001, part.state)
        assert part.update(70, drawn, NONE_OUTSIDE, str(look)) == whole.update(70, drawn, NONE_OUTSIDE, str(look))
    assert part.state == whole.state


def reports(total: list[Counts], sequence: int, made: list[Feature] = MADE) -> dict[str, MonitorReportSpec]:
    return {"pod": report(made, total, sequence)}


def test_a_broken_feed_is_no_drift_and_when_it_is_mended_evidence_starts_anew() -> None:
    random = np.random.default_rng(5)
    total = rows(random, 500)
    verdict = evaluate(Evidence(), reports(total, 1), SETTINGS, NOW)
    assert (verdict.feed.state, verdict.drift.state) == ("Healthy", "None")

    total = [before + more for before, more in zip(total, rows(random, 500, all_in("x0", -1)), strict=True)]
    verdict = evaluate(verdict.evidence, reports(total, 2), SETTINGS, NOW)
    assert (verdict.feed.state, verdict.drift.state) == ("Broken", "None")
    assert verdict.feed.message.startswith("A feed is broken: x0 is missing in 100% of the latest rows (training: 1%)")
    assert verdict.feed.problems[0].problem == "Missing"
    assert Evidence.unpack(verdict.evidence.pack()) == verdict.evidence

    total = [before + more for before, more in zip(total, rows(random, 600), strict=True)]
    verdict = evaluate(verdict.evidence, reports(total, 3), SETTINGS, NOW)
    assert (verdict.feed.state, verdict.drift.state) == ("Healthy", "None")
    assert verdict.drift.rows == 0

    total = [before + more for before, more in zip(total, rows(random, 700), strict=True)]
    verdict = evaluate(verdict.evidence, reports(total, 4), SETTINGS, NOW)
    assert verdict.drift.rows == 700


@pytest.mark.parametrize("usual", [0.9, 0.93, 0.97, 0.999, 1.0])
def test_a_column_of_ids_is_unseen_as_often_as_it_was(usual: float) -> None:
    random = np.random.default_rng(5)
    rare = round(10_000 * usual)
    detector = FeedDetector((FeatureReference("id", FeatureKind.CATEGORICAL, (10_000 - rare, rare, 0)),), 0.001)
    for _ in range(400):
        known = int(random.binomial(100, 1 - usual))
        assert detector.update(100, (known, 100 - known, 0), (0,), "now").state != "Broken"


def test_a_column_that_is_nearly_always_missing_is_broken_when_it_always_is() -> None:
    detector = FeedDetector((FeatureReference("x", FeatureKind.NUMERIC, (400, 400, 9_200)),), 0.001)
    assert detector.update(500, (20, 20, 460), (0,), "now").state == "Healthy"
    assert detector.update(500, (0, 0, 500), (0,), "now").state == "Broken"
