"""Reports that cannot be believed: none moves a verdict, none raises, and each is named with its reason."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mlmodel_contract.quality_metrics import Metric
from mlmodel_contract.report import FeatureCounts, LabelCounts, LossReference, MonitorReportSpec, RowCounts
from mlmodel_detection import Evidence, MonitoringVerdict, RefusalReason, evaluate

from tests.detection.support.reports import LOSS, NOW, SETTINGS, features, report, scored

RANDOM = np.random.default_rng(0)
MADE = features(RANDOM)
EARLY = [feature.draw(RANDOM, 1_000) for feature in MADE]
LIVE = [early + feature.draw(RANDOM, 1_000) for early, feature in zip(EARLY, MADE, strict=True)]
PROBABILITY = RANDOM.beta(1, 1, 500)
LABELS = scored(RANDOM.random(500) < PROBABILITY, PROBABILITY)
OLD = report(MADE, EARLY, 4)
GOOD = report(MADE, LIVE, 5, LABELS)
KNOWN = evaluate(Evidence(), {"pod": GOOD}, SETTINGS, NOW)


def after(hostile: MonitorReportSpec, pod: str = "pod") -> MonitoringVerdict:
    return evaluate(KNOWN.evidence, {pod: hostile}, SETTINGS, NOW)


def with_feature(index: int = 0, **changes: Any) -> MonitorReportSpec:
    changed = list(GOOD.features)
    changed[index] = changed[index].model_copy(update=changes)
    return GOOD.model_copy(update={"features": changed, "sequence": 6})


def with_labels(**changes: Any) -> MonitorReportSpec:
    return GOOD.model_copy(update={"labels": GOOD.labels.model_copy(update=changes), "sequence": 6})


def with_rows(**changes: Any) -> MonitorReportSpec:
    return GOOD.model_copy(update={"rows": GOOD.rows.model_copy(update=changes), "sequence": 6})


def scaled(factor: int) -> MonitorReportSpec:
    grown = [feature.model_copy(update={"live": [rows * factor for rows in feature.live]}) for feature in GOOD.features]
    return GOOD.model_copy(
        update={"features": grown, "rows": RowCounts(counted=2_000 * factor, served=2_000 * factor), "sequence": 6},
    )


def moved(slot: int, rows: int) -> list[int]:
    live = list(GOOD.features[0].live)
    live[slot] += rows
    return live


HOSTILE: list[tuple[str, Callable[[], MonitorReportSpec], RefusalReason]] = [
    ("older", lambda: OLD, RefusalReason.STALE),
    ("same sequence, other counts", lambda: OLD.model_copy(update={"sequence": 5}), RefusalReason.STALE),
    ("newer, smaller counts", lambda: OLD.model_copy(update={"sequence": 6}), RefusalReason.DECREASED),
    ("fewer labels", lambda: GOOD.model_copy(update={"labels": LabelCounts(), "sequence": 6}), RefusalReason.DECREASED),
    ("another version", lambda: GOOD.model_copy(update={"version": "flights-v2", "sequence": 6}), RefusalReason.FOREIGN),
    ("another contract", lambda: GOOD.model_copy(update={"contract": 99, "sequence": 6}), RefusalReason.FOREIGN),
    (
        "ranks without the holdout's rows",
        lambda: GOOD.model_copy(update={"loss_reference": LOSS.model_copy(update={"metric": Metric.ROC_AUC}), "sequence": 6}),
        RefusalReason.ABSURD,
    ),
    ("negative count", lambda: with_feature(live=[-1, *moved(1, 1 + GOOD.features[0].live[0])[1:]]), RefusalReason.ABSURD),
    ("not a number", lambda: with_feature(live=[float("nan"), *GOOD.features[0].live[1:]]), RefusalReason.ABSURD),
    ("infinite", lambda: with_labels(loss=float("inf")), RefusalReason.ABSURD),
    ("not a number as the loss", lambda: with_labels(loss=float("nan")), RefusalReason.ABSURD),
    ("huge counts", lambda: scaled(10**9), RefusalReason.ABSURD),
    ("huge sums", lambda: with_labels(loss=2**200, loss_squared=2**400), RefusalReason.ABSURD),
    ("negative loss", lambda: with_labels(loss=-1), RefusalReason.ABSURD),
    ("counts that do not sum to rows", lambda: with_feature(live=moved(3, 1)), RefusalReason.INCONSISTENT),
    ("rows that no feature has", lambda: with_rows(counted=2_001), RefusalReason.INCONSISTENT),
    ("more due than counted", lambda: with_rows(due=2_001), RefusalReason.INCONSISTENT),
    ("more right than labelled", lambda: with_labels(correct=501), RefusalReason.INCONSISTENT),
    ("a loss without its square", lambda: with_labels(loss=LABELS.loss * 1_000), RefusalReason.INCONSISTENT),
    (
        "a loss that no probability has",
        lambda: with_labels(loss=LABELS.loss * 100, loss_squared=LABELS.loss_squared * 10_000),
        RefusalReason.INCONSISTENT,
    ),
    ("scores of other rows", lambda: with_labels(scores_of_negatives=[1] * 100, scores_of_positives=[1] * 100), RefusalReason.INCONSISTENT),
    ("half a histogram", lambda: with_labels(scores_of_negatives=[]), RefusalReason.INCONSISTENT),
    ("another name", lambda: with_feature(name="y"), RefusalReason.INCONSISTENT),
    ("a name twice", lambda: with_feature(name=MADE[1].name), RefusalReason.INCONSISTENT),
    ("another reference", lambda: with_feature(reference=[1] * len(GOOD.features[0].reference)), RefusalReason.INCONSISTENT),
    (
        "a slot more",
        lambda: with_feature(live=[*GOOD.features[0].live, 0], reference=[*GOOD.features[0].reference, 0]),
        RefusalReason.INCONSISTENT,
    ),
    ("a slot less", lambda: with_feature(live=GOOD.features[0].live[:-1]), RefusalReason.INCONSISTENT),
    ("more values out of range than rows", lambda: with_feature(outside=2_001), RefusalReason.INCONSISTENT),
    ("a negative number out of range", lambda: with_feature(outside=-1), RefusalReason.ABSURD),
    ("no design effect", lambda: with_feature(effect=0.5), RefusalReason.ABSURD),
    ("a design effect that is no number", lambda: with_feature(effect=float("nan")), RefusalReason.ABSURD),
    ("products of no correlations", lambda: GOOD.model_copy(update={"products": [1], "sequence": 6}), RefusalReason.INCONSISTENT),
    ("no features", lambda: GOOD.model_copy(update={"features": [], "sequence": 6}), RefusalReason.INCONSISTENT),
    (
        "another holdout",
        lambda: GOOD.model_copy(update={"loss_reference": LOSS.model_copy(update={"mean": 9.0}), "sequence": 6}),
        RefusalReason.INCONSISTENT,
    ),
    (
        "a holdout that is no number",
        lambda: GOOD.model_copy(
            update={"loss_reference": LossReference.model_construct(rows=9, mean=float("nan"), variance=1.0), "sequence": 6}
        ),
        RefusalReason.ABSURD,
    ),
]


@pytest.mark.parametrize(("make", "refusal"), [case[1:] for case in HOSTILE], ids=[case[0] for case in HOSTILE])
def test_a_report_that_cannot_be_true_changes_nothing(make: Callable[[], MonitorReportSpec], refusal: RefusalReason) -> None:
    verdict = after(make())
    assert verdict.refused == {"pod": refusal}
    assert not verdict.changed
    assert (verdict.drift, verdict.criteria) == (KNOWN.drift, KNOWN.criteria)


def test_a_good_pod_counts_beside_a_hostile_one() -> None:
    verdict = evaluate(KNOWN.evidence, {"bad": with_feature(live=moved(0, 5)), "new": GOOD}, SETTINGS, NOW)
    assert verdict.refused == {"bad": RefusalReason.INCONSISTENT}
    assert verdict.drift.rows == 4_000


def test_reports_in_any_order_end_in_the_same_counts() -> None:
    forward = evaluate(evaluate(Evidence(), {"pod": OLD}, SETTINGS, NOW).evidence, {"pod": GOOD}, SETTINGS, NOW)
    backward = evaluate(evaluate(Evidence(), {"pod": GOOD}, SETTINGS, NOW).evidence, {"pod": OLD}, SETTINGS, NOW)
    assert forward.drift.rows == backward.drift.rows == 2_000
    assert forward.evidence.total == backward.evidence.total


def test_pods_beyond_the_room_of_a_status_are_refused_and_the_rest_still_counts() -> None:
    many = {f"pod-{index:04}": GOOD for index in range(600)}
    verdict = evaluate(Evidence(), many, SETTINGS, NOW)
    assert set(verdict.refused.values()) == {RefusalReason.FULL}
    assert verdict.drift.rows == 2_000 * (600 - len(verdict.refused))
    assert len(verdict.evidence.pack()) < 1_000_000


JUNK = st.one_of(st.integers(-(2**70), -1), st.integers(2**60, 2**300), st.floats().filter(lambda value: not value.is_integer()))


@settings(max_examples=200)
@given(
    junk=st.lists(JUNK, min_size=1, max_size=4), start=st.integers(0, 200), field=st.sampled_from(["live", "reference", "labels", "rows"])
)
def test_junk_never_raises_and_never_alarms(junk: list[float], start: int, field: str) -> None:
    verdict = after(_with_junk(field, start, junk), pod="other")
    assert verdict.drift.state == "None"
    assert verdict.drift.harm == "None"


def _with_junk(field: str, start: int, junk: list[float]) -> MonitorReportSpec:
    if field == "labels":
        names = list(LabelCounts.model_fields)[:9]
        return with_labels(**{names[(start + index) % 9]: value for index, value in enumerate(junk)})
    if field == "rows":
        names = list(RowCounts.model_fields)
        return with_rows(**{names[(start + index) % 5]: value for index, value in enumerate(junk)})
    feature: FeatureCounts = GOOD.features[start % len(GOOD.features)]
    slots = list(getattr(feature, field))
    for index, value in enumerate(junk):
        slots[(start + index) % len(slots)] = value
    return with_feature(start % len(GOOD.features), **{field: slots})
