"""Reports in; verdicts, sentences and evidence out."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mlmodel_contract.quality_metrics import Metric
from mlmodel_contract.report import LabelCounts, MonitorReportSpec
from mlmodel_contract.version import Estimate, Metrics
from mlmodel_detection import Evidence, MonitoringVerdict, evaluate

from tests.detection.support.reports import NOW, SETTINGS, Counts, Feature, features, labels, normal_slots, report, scored

HOLDOUT = Metrics(roc_auc=Estimate(value=0.74, low=0.7, high=0.78), log_loss=Estimate(value=0.5, low=0.48, high=0.52))
MADE = features(np.random.default_rng(0))


def draw(random: np.random.Generator, rows: int, shift: float = 0.0) -> list[Counts]:
    live = [feature.draw(random, rows) for feature in MADE]
    return [random.multinomial(rows, normal_slots(shift)), *live[1:]] if shift else live


def evaluated(evidence: Evidence, *reports: MonitorReportSpec) -> MonitoringVerdict:
    return evaluate(evidence, {f"pod-{index}": one for index, one in enumerate(reports)}, SETTINGS, NOW)


def evaluated_once(rows: int, shift: float, counted: LabelCounts) -> MonitoringVerdict:
    return evaluated(Evidence(), report(MADE, draw(np.random.default_rng(1), rows, shift), 1, counted))


CALM = labels(np.random.default_rng(2).gamma(1, 0.5, 1_000))
RISEN = labels(np.random.default_rng(2).gamma(1, 0.9, 1_000))


@pytest.mark.parametrize(
    ("shift", "counted", "state", "harm", "message"),
    [
        (
            1.0,
            RISEN,
            "Confirmed",
            "Confirmed",
            "Drifted and harmful: x0 (location, 0.98 sd) of 5,000 live rows differ from the training rows, and the loss of",
        ),
        (
            1.0,
            CALM,
            "Confirmed",
            "None",
            "Drifted, no harm seen: x0 (location, 0.98 sd) of 5,000 live rows differ from the training rows; the mean loss of 1,000",
        ),
        (
            0.0,
            RISEN,
            "None",
            "Confirmed",
            "Harmful without confirmed drift: the loss of labelled predictions rose to at least",
        ),
        (
            1.0,
            LabelCounts(),
            "Confirmed",
            "Unknown",
            "Drifted, cannot tell whether harmful: x0 (location, 0.98 sd) of 5,000 live rows differ from the training rows; 0 labels",
        ),
        (
            0.0,
            LabelCounts(),
            "None",
            "Unknown",
            "No drift, cannot tell whether harmful: 5,000 live rows are like the training rows; 0 labels came back",
        ),
        (0.0, CALM, "None", "None", "No drift, no harm seen: 5,000 live rows are like the training rows; the mean loss of 1,000"),
    ],
)
def test_each_situation_has_its_verdict_and_sentence(shift: float, counted: LabelCounts, state: str, harm: str, message: str) -> None:
    verdict = evaluated_once(5_000, shift, counted)
    assert (verdict.drift.state, verdict.drift.harm) == (state, harm)
    assert message in verdict.drift.message
    assert verdict.drift.since == ("2024-05-01T12:00:00Z" if shift else None)


def test_names_of_slots_change_no_verdict_and_no_evidence() -> None:
    random = np.random.default_rng(5)
    first = draw(random, 2_000)
    unnamed = [report(MADE, first, 1), report(MADE, [a + b for a, b in zip(first, draw(random, 2_000, 1.0), strict=True)], 2, RISEN)]
    before, named, mixed = (
        evaluated(Evidence(), unnamed[0]),
        evaluated(Evidence(), _named(unnamed[0])),
        evaluated(Evidence(), _named(unnamed[0], "other")),
    )
    expected = evaluated(before.evidence, unnamed[1])
    assert (named, mixed) == (before, before)
    assert evaluated(named.evidence, _named(unnamed[1])) == expected
    assert evaluated(named.evidence, unnamed[1]) == expected
    assert expected.drift.state == "Confirmed"
    assert not expected.refused


def _named(unnamed: MonitorReportSpec, *names: str) -> MonitorReportSpec:
    """The report with a name for each slot, or with these names."""
    features = [one.model_copy(update={"slots": list(names) or [f"slot {i}" for i in range(len(one.live))]}) for one in unnamed.features]
    return unnamed.model_copy(update={"features": features})


def test_without_reports_nothing_is_known() -> None:
    verdict = evaluate(Evidence(), {}, SETTINGS, NOW)
    assert verdict.drift.message == "No live rows yet."
    assert not verdict.changed


def test_asking_again_changes_nothing() -> None:
    first = evaluated_once(5_000, 1.0, RISEN)
    again = evaluated(first.evidence, report(MADE, draw(np.random.default_rng(1), 5_000, 1.0), 1, RISEN))
    assert first.changed
    assert not again.changed
    assert (again.drift, again.criteria, again.refused) == (first.drift, first.criteria, {})


def test_a_calm_pods_newer_report_is_not_worth_a_write() -> None:
    first = evaluated_once(5_000, 0.0, CALM)
    assert not evaluated(first.evidence, report(MADE, draw(np.random.default_rng(1), 5_000), 2, CALM)).changed


def test_the_time_of_the_first_confirmation_stays() -> None:
    first = evaluated_once(5_000, 1.0, CALM)
    later = evaluate(first.evidence, {}, SETTINGS, NOW.replace(year=2025))
    assert later.drift.since == first.drift.since


def test_figures_are_shown() -> None:
    drift = evaluated_once(5_000, 1.0, CALM).drift
    assert (drift.rows, drift.labels) == (5_000, 1_000)
    assert drift.loss == pytest.approx(CALM.loss / 1e9)
    assert drift.loss_bound is not None
    assert drift.loss_reference is not None
    assert drift.loss_bound < CALM.loss / 1e9 < drift.loss_reference
    assert [feature.name for feature in drift.features] == ["x0"]
    assert drift.features[0].evidence > np.log(200)


def criteria(counted: LabelCounts) -> dict[Metric, tuple[float | None, bool | None, str]]:
    verdict = evaluate(
        Evidence(), {"a": report(MADE, draw(np.random.default_rng(1), 2_000), 1, counted)}, replace(SETTINGS, holdout=HOLDOUT), NOW
    )
    return {status.metric: (status.value, status.met, status.summary) for status in verdict.criteria}


def test_criteria_show_the_holdouts_value_until_labels_come() -> None:
    assert criteria(LabelCounts())[Metric.ROC_AUC] == (None, True, "roc_auc 0.74 >= 0.7 (holdout)")


def test_criteria_show_the_live_value() -> None:
    random = np.random.default_rng(3)
    probability = random.beta(2, 2, 2_000)
    value, met, summary = criteria(scored(random.random(2_000) < probability, probability))[Metric.ROC_AUC]
    assert value is not None
    assert met == (value >= 0.7)
    assert summary == f"roc_auc {value:.4g} {'>=' if met else '<'} 0.7"


def test_criteria_of_a_model_without_any_figures_say_so() -> None:
    status = evaluate(Evidence(), {}, SETTINGS, NOW).criteria[0]
    assert (status.value, status.met, status.summary) == (None, None, "roc_auc is not known yet")
    assert status.bound == ">= 0.7"


def totals(parts: Sequence[Sequence[Counts]]) -> list[Counts]:
    return [np.sum([part[index] for part in parts], axis=0) for index in range(len(MADE))]


def label_sum(parts: Sequence[LabelCounts]) -> LabelCounts:
    return LabelCounts(**{name: sum(getattr(part, name) for part in parts) for name in ("rows", "loss", "loss_squared")})


@settings(max_examples=40)
@given(
    seed=st.integers(0, 2**31),
    pods=st.integers(1, 5),
    looks=st.integers(1, 6),
    restarts=st.lists(st.booleans(), min_size=6, max_size=6),
    shift=st.sampled_from([0.0, 0.3, 1.0]),
)
def test_any_split_over_pods_and_any_restart_gives_the_same_bits(
    seed: int, pods: int, looks: int, restarts: list[bool], shift: float
) -> None:
    random = np.random.default_rng(seed)
    steps = [[draw(random, int(random.integers(0, 400)), shift) for _ in range(pods)] for _ in range(looks)]
    losses = [[labels(random.gamma(1, 0.7, int(random.integers(0, 60)))) for _ in range(pods)] for _ in range(looks)]
    split, whole = Evidence(), Evidence()
    for number in range(1, looks + 1):
        reports = [
            report(MADE, totals([step[pod] for step in steps[:number]]), number, label_sum([loss[pod] for loss in losses[:number]]))
            for pod in range(pods)
        ]
        one = report(
            MADE,
            totals([part for step in steps[:number] for part in step]),
            number,
            label_sum([part for loss in losses[:number] for part in loss]),
        )
        if restarts[number - 1]:
            split = Evidence.unpack(split.pack())
        several, single = evaluated(split, *reports), evaluated(whole, one)
        split, whole = several.evidence, single.evidence
        assert (several.drift, several.criteria) == (single.drift, single.criteria)
        assert replace(split, pods={}) == replace(whole, pods={})


def test_a_forgotten_pods_counts_stay() -> None:
    random = np.random.default_rng(4)
    first, second = draw(random, 3_000), draw(random, 2_000)
    evidence = evaluated(Evidence(), report(MADE, first, 1, CALM), report(MADE, second, 1)).evidence
    forgotten = evidence.forget({"pod-0"})
    assert set(forgotten.pods) == {"pod-1"}
    after = evaluate(forgotten, {"pod-1": report(MADE, totals([second, draw(random, 500)]), 2)}, SETTINGS, NOW)
    assert (after.drift.rows, after.drift.labels) == (5_500, 1_000)


def test_evidence_survives_its_text_exactly() -> None:
    evidence = evaluated_once(5_000, 0.3, RISEN).evidence
    assert Evidence.unpack(evidence.pack()) == evidence
    assert Evidence.unpack(None) == Evidence()
    assert Evidence.unpack("") == Evidence()


def test_evidence_of_twenty_features_and_ten_pods_is_small() -> None:
    random = np.random.default_rng(5)
    made: list[Feature] = features(random, numbers=19)
    probability = random.beta(2, 3, 20_000)
    counted = scored(random.random(20_000) < probability, probability)
    reports = [report(made, [feature.draw(random, 100_000) for feature in made], 1, counted) for _ in range(10)]
    size = len(evaluated(Evidence(), *reports).evidence.pack())
    print(f"packed evidence of 21 features and 10 pods: {size:,} characters")  # noqa: T201
    assert size < 60_000


@pytest.mark.parametrize("damage", ["not base64!", "AAAA", "eJwDAAAAAAE="], ids=["no base64", "no deflate", "empty"])
def test_damaged_evidence_is_named(damage: str) -> None:
    with pytest.raises(ValueError, match=r"status\.evidence of the ModelVersion is damaged"):
        Evidence.unpack(damage)


@settings(max_examples=100)
@given(index=st.integers(0, 10**6), letter=st.sampled_from("AZaz09+/= "))
def test_evidence_with_any_letter_changed_or_cut_is_the_same_or_refused(index: int, letter: str) -> None:
    text = _PACKED
    index %= len(text)
    for damaged in (text[:index] + letter + text[index + 1 :], text[:index]):
        with suppress(ValueError):
            assert Evidence.unpack(damaged) == (Evidence.unpack(text) if damaged else Evidence())


_PACKED = evaluated_once(5_000, 0.3, RISEN).evidence.pack()
