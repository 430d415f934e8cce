"""Which labels are judged: mature ones, or all at once where none is missing; and none of them twice."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import pytest
from mlmodel_contract.base import format_time
from mlmodel_contract.report import LabelCounts, MonitorReportSpec, RecentRows, RowCounts
from mlmodel_detection import Evidence, MonitoringVerdict, RefusalReason, evaluate

from tests.detection.support.reports import NOW, SETTINGS, Counts, features, labels, report

DAY = timedelta(days=1)
WEEK = replace(SETTINGS, criteria=(), maturity=timedelta(days=7))
MADE = features(np.random.default_rng(0))
CALM, RISEN = 0.5, 1.0
DAILY = 400

Rows = Mapping[int, int]
Losses = Mapping[int, Sequence[float]]


def losses(mean: float, rows: int, seed: int = 0) -> list[float]:
    return list(np.random.default_rng(seed).gamma(1, mean, rows))


def at(days: float) -> datetime:
    return NOW + days * DAY


def pod(day: int, rows: Rows, labelled: Losses, sequence: int | None = None) -> MonitorReportSpec:
    """A report after some days, with the rows of each day, and the losses of those that have their label."""
    total = sum(rows.values())
    cells: list[Counts] = [np.array([total] + [0] * (len(feature.reference) - 1)) for feature in MADE]
    recent = [
        RecentRows(before=format_time(at(one + 1)), rows=rows.get(one, 0), labels=counted(labelled.get(one, ())))
        for one in sorted(rows.keys() | labelled.keys())
        if one + 10 > day
    ]
    everything = [value for some in labelled.values() for value in some]
    made = report(MADE, cells, sequence or day + 1, counted(everything))
    return made.replace(rows=RowCounts(served=total, counted=total, captured=total), recent=recent)


def counted(values: Sequence[float]) -> LabelCounts:
    return labels(np.array(values)) if values else LabelCounts()


def judged(evidence: Evidence, days: float, reports: Mapping[str, MonitorReportSpec]) -> MonitoringVerdict:
    verdict = evaluate(evidence, reports, WEEK, at(days))
    assert not verdict.refused
    return replace(verdict, evidence=Evidence.unpack(verdict.evidence.pack()))


def followed(days: int, labelled_on: Mapping[int, Losses]) -> list[MonitoringVerdict]:
    """The verdicts of a pod at the end of each day; labels come day by day."""
    evidence, verdicts = Evidence(), []
    known: dict[int, list[float]] = {}
    for day in range(days):
        for of_day, values in labelled_on.get(day, {}).items():
            known[of_day] = [*known.get(of_day, []), *values]
        verdicts.append(judged(evidence, day + 1, {"pod": pod(day, dict.fromkeys(range(day + 1), DAILY), known)}))
        evidence = verdicts[-1].evidence
    return verdicts


def known_labels(verdict: MonitoringVerdict) -> int:
    assert verdict.evidence.judged
    return verdict.evidence.judged.documents[0].rows


def test_labels_that_come_at_once_are_judged_at_once() -> None:
    verdicts = followed(2, {day: {day: losses(RISEN, DAILY, day)} for day in range(2)})
    assert [known_labels(verdict) for verdict in verdicts] == [DAILY, 2 * DAILY]
    assert verdicts[-1].drift.harm == "Confirmed"
    assert "completeAfter" not in verdicts[-1].drift.message


def test_labels_of_which_many_are_missing_wait_and_the_sentence_says_so() -> None:
    (*_, last) = followed(3, {day: {day: losses(RISEN, DAILY // 2, day)} for day in range(3)})
    assert (last.drift.harm, last.drift.labels, known_labels(last)) == ("Unknown", 600, 0)
    assert last.drift.message.endswith("0 labels came back and 100 are needed; 600 more labels wait for monitoring.labels.completeAfter.")


def test_each_label_is_judged_once_whether_it_was_at_once_or_mature() -> None:
    """At once for three days, then half of them, the others when they are mature, and in the end at once again."""
    at_once = {day: {day: losses(CALM, DAILY, day)} for day in (0, 1, 2, *range(20, 23))}
    late = {day: {day: losses(CALM, DAILY // 2, day)} for day in range(3, 20)}
    verdicts = followed(23, at_once | late)
    assert [known_labels(verdict) for verdict in verdicts[:4]] == [DAILY, 2 * DAILY, 3 * DAILY, 3 * DAILY]
    assert known_labels(verdicts[15]) == 3 * DAILY + (15 - 6 - 3) * DAILY // 2, "days 3 to 8 are mature after day 15"
    *_, long_window = verdicts[-1].evidence.harm.windows
    assert long_window.sums.rows == known_labels(verdicts[-1]) > 3_000, "it is still open, and has each label once"


def test_labels_that_are_few_and_late_are_judged_as_they_come_once_their_rows_are_mature() -> None:
    late = {day: {day - 8: losses(CALM, 100, day)} for day in range(8, 12)}
    assert [known_labels(verdict) for verdict in followed(12, late)[7:]] == [0, 100, 200, 300, 400]


def test_while_a_pods_report_is_not_there_nothing_more_is_judged() -> None:
    first = pod(0, {0: DAILY}, {0: losses(CALM, DAILY // 2)})
    both = judged(Evidence(), 1, {"a": first, "b": first}).evidence
    assert known_labels(judged(both, 30, {"a": first})) == 0
    assert known_labels(judged(both, 30, {"a": first, "b": first})) == DAILY


@pytest.mark.parametrize("days", [8, 9, 20])
def test_labels_of_a_pod_that_is_gone_mature_as_if_it_were_there(days: int) -> None:
    first = pod(0, {0: DAILY}, {0: losses(CALM, DAILY // 4)})
    second = pod(1, {1: DAILY}, {0: losses(CALM, DAILY // 2), 1: losses(CALM, DAILY // 4)})
    reports = {"a": first, "b": second}
    evidence = judged(Evidence(), 2, reports).evidence
    departed = evidence.depart({"a": first})
    assert departed.depart({"a": first}) == departed
    assert not evaluate(departed, reports, WEEK, at(2)).changed, "its report may be there for a while"
    alone = judged(departed.forget({"a"}), days, {"b": second})
    together = judged(evidence, days, reports)
    assert known_labels(alone) == known_labels(together) == {8: 300, 9: 400, 20: 400}[days]
    assert alone.drift.due == together.drift.due == {8: 400, 9: 800, 20: 800}[days]


def test_after_a_broken_time_its_late_labels_are_not_judged() -> None:
    half = {day: losses(RISEN, DAILY // 2, day) for day in range(4)}
    evidence = judged(Evidence(), 4, {"pod": pod(3, dict.fromkeys(half, DAILY), half)}).evidence.restarted()
    rows, known = dict.fromkeys(range(4), DAILY), dict(half)
    for day in range(4, 14):
        rows[day] = DAILY
        known[day] = losses(CALM, DAILY // 2, day)
        known[day - 4] = [*known[day - 4], *losses(RISEN if day < 8 else CALM, DAILY // 4, day)]
        verdict = judged(evidence, day + 1, {"pod": pod(day, rows, known)})
        evidence = verdict.evidence
        assert verdict.drift.harm != "Confirmed"
    assert known_labels(verdict) == 3 * DAILY * 3 // 4, "days 4 to 6"


def test_after_a_broken_time_labels_that_come_at_once_are_judged_at_once() -> None:
    known = {day: losses(RISEN, DAILY, day) for day in range(3)}
    evidence = judged(Evidence(), 3, {"pod": pod(2, dict.fromkeys(known, DAILY), known)}).evidence.restarted()
    after = judged(evidence, 4, {"pod": pod(3, dict.fromkeys(range(4), DAILY), known | {3: losses(CALM, DAILY)})})
    assert (known_labels(after), after.drift.harm) == (DAILY, "None")


@pytest.mark.parametrize(
    ("part", "refusal"),
    [
        (RecentRows(before="yesterday"), RefusalReason.INCONSISTENT),
        (RecentRows(before=format_time(NOW), rows=DAILY + 1), RefusalReason.INCONSISTENT),
        (RecentRows(before=format_time(NOW), labels=counted([0.5] * (DAILY + 1))), RefusalReason.INCONSISTENT),
        (RecentRows(before=format_time(NOW), groups=[LabelCounts()]), RefusalReason.INCONSISTENT),
        (RecentRows.model_construct(before=format_time(NOW), rows=-1, labels=LabelCounts(), groups=[]), RefusalReason.ABSURD),
    ],
    ids=["no time", "too many rows", "too many labels", "groups that are not there", "negative"],
)
def test_recent_rows_that_cannot_be_are_refused(part: RecentRows, refusal: RefusalReason) -> None:
    made = pod(0, {0: DAILY}, {0: losses(CALM, DAILY)}).replace(recent=[part])
    assert evaluate(Evidence(), {"pod": made}, WEEK, NOW).refused == {"pod": refusal}
