"""Criteria in groups of rows: a group in which one is missed beyond chance is harm, however good the whole is."""

from dataclasses import replace

import numpy as np
import pytest
from mlmodel_contract.manifest import Criterion
from mlmodel_contract.quality_metrics import Metric
from mlmodel_contract.report import LabelCounts
from mlmodel_contract.version import SliceMetrics
from mlmodel_detection import Evidence, MonitoringVerdict, RefusalReason, evaluate

from tests.detection.support.reports import NOW, SETTINGS, features, report, scored

RANDOM = np.random.default_rng(0)
MADE = features(RANDOM)
LIVE = [feature.draw(RANDOM, 10_000) for feature in MADE]
GROUP = ("origin", "JFK")
OTHER = ("origin", "EWR")
SLICED = replace(
    SETTINGS,
    criteria=(Criterion(metric=Metric.ACCURACY, min=0.65),),
    slices={"origin": 200},
    groups_on_holdout=(SliceMetrics(column="origin", value="JFK", rows=300, metrics={Metric.ACCURACY: 0.8}),),
)


def labelled(random: np.random.Generator, rows: int, accuracy: float) -> LabelCounts:
    """Labels of predictions of which this share is right."""
    truth = random.random(rows) < 0.5
    right = random.random(rows) < accuracy
    return scored(truth, np.where(truth == right, 0.7, 0.3))


def whole(*parts: LabelCounts) -> LabelCounts:
    """The counts of several parts together."""
    sums = {name: sum(getattr(part, name) for part in parts) for name in LabelCounts.model_fields if not name.startswith("scores_")}
    bins = {
        name: np.sum([getattr(part, name) for part in parts], axis=0).tolist() for name in ("scores_of_negatives", "scores_of_positives")
    }
    return LabelCounts(**sums, **bins)


def evaluated(bad: LabelCounts, good: LabelCounts) -> MonitoringVerdict:
    one = report(MADE, LIVE, 1, whole(bad, good), {GROUP: bad, OTHER: good})
    return evaluate(Evidence(), {"pod": one}, SLICED, NOW)


def test_a_group_that_misses_a_criterion_is_harm_though_the_whole_keeps_it() -> None:
    verdict = evaluated(labelled(RANDOM, 600, 0.5), labelled(RANDOM, 8_000, 0.8))
    assert verdict.criteria[0].met is True
    assert verdict.drift.harm == "Confirmed"
    assert "labelled predictions miss accuracy >= 0.65 in origin=JFK" in verdict.drift.message
    by_value = {group.value: group for group in verdict.slices}
    assert (by_value["JFK"].labels, by_value["JFK"].criteria[0].met, by_value["JFK"].criteria[0].holdout) == (600, False, 0.8)
    assert (by_value["EWR"].criteria[0].met, by_value["EWR"].criteria[0].holdout) == (True, None)


def test_a_group_that_is_worse_by_chance_is_not() -> None:
    verdict = evaluated(labelled(np.random.default_rng(5), 250, 0.64), labelled(RANDOM, 8_000, 0.8))
    assert verdict.drift.harm == "None"
    assert next(group for group in verdict.slices if group.value == "JFK").criteria[0].met is None


@pytest.mark.parametrize("rows", [0, 199])
def test_a_group_with_too_few_labels_is_not_evaluated(rows: int) -> None:
    verdict = evaluated(labelled(RANDOM, rows, 0.0), labelled(RANDOM, 8_000, 0.8))
    assert [group.value for group in verdict.slices] == ["EWR"]
    assert verdict.drift.harm == "None"


def test_harm_in_a_group_that_is_no_longer_declared_is_forgotten() -> None:
    bad, good = labelled(RANDOM, 600, 0.4), labelled(RANDOM, 8_000, 0.8)
    reports = {"pod": report(MADE, LIVE, 1, whole(bad, good), {GROUP: bad, OTHER: good})}
    known = evaluate(Evidence(), reports, SLICED, NOW)
    assert known.drift.harm == "Confirmed"
    assert evaluate(known.evidence, reports, replace(SLICED, slices={}), NOW).drift.harm == "None"


def test_groups_are_added_over_pods_and_survive_a_restart_of_the_operator() -> None:
    parts = [labelled(RANDOM, 300, 0.7) for _ in range(3)]
    reports = {
        f"pod-{index}": report(MADE, [feature.draw(RANDOM, 3_000) for feature in MADE], 1, part, {GROUP: part, OTHER: LabelCounts()})
        for index, part in enumerate(parts)
    }
    together = evaluate(Evidence(), reports, SLICED, NOW)
    assert not together.refused
    evidence = Evidence()
    for pod, one in reports.items():
        evidence = Evidence.unpack(evaluate(evidence, {pod: one}, SLICED, NOW).evidence.pack())
    one_by_one = evaluate(evidence, {}, SLICED, NOW)
    assert together.slices == one_by_one.slices
    assert together.slices[0].labels == 900


def test_reports_whose_groups_cannot_be_are_refused() -> None:
    part = labelled(RANDOM, 300, 0.7)
    good = report(MADE, LIVE, 1, part, {GROUP: part})
    known = evaluate(Evidence(), {"pod": good}, SLICED, NOW).evidence
    for groups in ({OTHER: part}, {}, {GROUP: part, OTHER: part}):
        other = report(MADE, LIVE, 1, part, groups)
        assert evaluate(known, {"other": other}, SLICED, NOW).refused == {"other": RefusalReason.INCONSISTENT}
    twice = good.model_copy(update={"groups": [*good.groups, *good.groups]})
    fewer = report(MADE, LIVE, 2, part, {GROUP: labelled(RANDOM, 200, 0.7)})
    assert evaluate(Evidence(), {"pod": twice}, SLICED, NOW).refused == {"pod": RefusalReason.INCONSISTENT}
    assert evaluate(known, {"pod": fewer}, SLICED, NOW).refused == {"pod": RefusalReason.DECREASED}
