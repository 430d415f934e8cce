"""When the live loss is suspected to have risen, since when, and what follows: a run, long before anybody is called."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from mlmodel_contract.base import parse_time
from mlmodel_contract.report import LossReference
from mlmodel_contract.status import DriftStatus, LossPoint
from mlmodel_operator.decide.loss_history import LossRise, find_rise, with_point
from numpy.typing import NDArray

from tests.operator.support.fake_controllers import LiveRows
from tests.operator.support.manifests import packaged, prepared, records, scored, spec, trial
from tests.operator.support.model_lifecycle import ModelLifecycle

HOLDOUT = LossReference(rows=5000, mean=0.5, variance=0.25)
BEGAN = datetime(2024, 5, 1, tzinfo=UTC)
EVERY = 50  # labels between two looks
HARMLESS = LiveRows(rows=2000, labels=1500, loss=0.5, spread=0.5)


def losses(seed: int, *stretches: tuple[int, float]) -> NDArray[np.float64]:
    """Losses of labels, one a minute: stretches of so many labels with that mean, exponential, and so as spread as ``HOLDOUT``."""
    means = np.concatenate([np.full(labels, mean) for labels, mean in stretches])
    return np.random.default_rng(seed).exponential(means)


def looks(values: NDArray[np.float64]) -> Iterator[tuple[int, list[LossPoint]]]:
    """The labels, and what is remembered, after each look."""
    points: list[LossPoint] = []
    for labels in range(EVERY, len(values) + 1, EVERY):
        drift = DriftStatus(labels=labels, loss=float(values[:labels].mean()))
        points = with_point(points, drift, BEGAN + timedelta(minutes=labels))
        yield labels, points


def label_at(time: str) -> float:
    return (parse_time(time) - BEGAN) / timedelta(minutes=1)


def last_rise(points: Sequence[LossPoint]) -> LossRise:
    rise = find_rise(points, HOLDOUT)
    assert rise is not None
    return rise


@pytest.mark.parametrize("seed", range(5))
def test_a_rise_is_found_soon_and_dated(seed: int) -> None:
    values = losses(seed, (2000, 0.5), (1000, 0.9))
    history = dict(looks(values))
    assert find_rise(history[2000 + 6 * EVERY], HOLDOUT) is not None
    rise = last_rise(history[3000])
    assert label_at(rise.since) == pytest.approx(2000, abs=4 * EVERY)
    assert rise.before == pytest.approx(0.5, abs=0.05)
    assert rise.after == pytest.approx(0.9, abs=0.15)
    assert f"the loss of the last {rise.labels:,} labels" in rise.sentence
    assert rise.since in rise.sentence


def test_a_loss_that_is_higher_from_the_first_label_on_is_found_by_the_holdouts() -> None:
    *_, (_, points) = looks(losses(1, (1000, 0.9)))
    assert label_at(last_rise(points).since) <= 4 * EVERY


def test_a_calm_stream_is_rarely_suspected_however_often_it_is_looked_at() -> None:
    """A suspicion costs a run, so it need not be as rare as an alarm."""
    found = [find_rise(points, HOLDOUT) is not None for seed in range(30) for _, points in looks(losses(seed, (5000, 0.5)))]
    assert len(found) == 30 * 5000 / EVERY
    assert np.mean(found) < 0.05


def test_a_loss_that_falls_is_no_rise() -> None:
    found = [find_rise(points, HOLDOUT) for _, points in looks(losses(2, (2000, 0.5), (2000, 0.2)))]
    assert found[2 * 2000 // EVERY - 1] is None


def test_dependent_rows_are_less_evidence() -> None:
    *_, (_, points) = looks(losses(3, (2000, 0.5), (300, 0.7)))
    plain, dependent = find_rise(points, HOLDOUT), find_rise(points, HOLDOUT.replace(design_effect=100.0))
    assert plain is not None
    assert dependent is None


def test_what_is_remembered_is_little_and_spans_all_of_the_past() -> None:
    history = [(labels, list(points)) for labels, points in looks(losses(4, (20_000, 0.5)))]
    for _, points in history:
        assert len(points) <= 32, "the status has room for so many"
        assert points[0].labels == EVERY
        assert [point.labels for point in points] == sorted({point.labels for point in points})
    labels, points = history[-1]
    ages = np.array([labels - point.labels for point in points[:-1]])
    assert points[-1].labels > 0.95 * labels
    assert (ages[:-1] / ages[1:]).max() < 4, "there is a point near each age, so that no change is dated far off"
    assert points[-1].loss == pytest.approx(0.5 * points[-1].labels, rel=0.05)


def test_a_rise_of_long_ago_is_still_dated() -> None:
    *_, (_, points) = looks(losses(5, (8000, 0.5), (4000, 0.7)))
    assert label_at(last_rise(points).since) == pytest.approx(8000, abs=1500)


def test_labels_of_another_version_are_no_past_of_this_one() -> None:
    *_, (_, points) = looks(losses(6, (1000, 0.5)))
    assert with_point(points, DriftStatus(labels=10, loss=0.5), BEGAN) == []
    assert with_point(points, None, BEGAN) == []
    assert with_point(points, DriftStatus(labels=0, loss=None), BEGAN) == []


@pytest.mark.parametrize("reference", [None, LossReference(rows=0, mean=0.0, variance=0.0), HOLDOUT.replace(variance=0.0)])
def test_without_a_holdouts_loss_nothing_is_suspected(reference: LossReference | None) -> None:
    *_, (_, points) = looks(losses(7, (500, 0.5), (500, 2.0)))
    assert find_rise(points, reference) is None


# What follows.


def live() -> ModelLifecycle:
    model = ModelLifecycle(spec(retraining={"cooldown": "1h", "triggers": ["Performance"]}))
    model.go_live(packaged(competing=records()))
    model.wait(hours=1)
    model.reports("late-v1", HARMLESS)
    model.wait(hours=1)
    assert model.run_number == 1
    return model


def reports_rise(model: ModelLifecycle, labels: int, sequence: int) -> None:
    """Let so many labels of a loss of 0.68 follow those of 0.5."""
    known = HARMLESS.labels
    mean = (known * 0.5 + labels * 0.68) / (known + labels)
    model.reports("late-v1", LiveRows(rows=2 * (known + labels), labels=known + labels, loss=mean, spread=0.5), sequence=sequence)


def keeps_champion(model: ModelLifecycle) -> None:
    package = packaged(model.run_number, against="late-v1", difference=(0.1, 0.05, 0.15), competing=records())
    model.run_through(package, prepared=prepared(rows=1200, new=200, end="2024-04-10T00:00:00Z"), trained=[trial(0), scored()])
    assert model.run_state == "ChampionKept"


def test_a_suspicion_starts_a_run_before_harm_is_confirmed() -> None:
    model = live()
    model.wait(minutes=20)
    reports_rise(model, 200, sequence=2)
    assert model.status.drift is not None
    assert model.status.drift.harm != "Confirmed"
    assert model.status.run is not None
    assert (model.run_number, model.status.run.reason) == (2, "Performance")
    assert "the loss of the last 200 labels is 0.68" in model.status.run.message
    assert model.condition("DriftDetected").status == "False", "nobody is called"


def test_the_same_rise_is_looked_at_again_once_much_more_is_known_of_it() -> None:
    model = live()
    model.wait(minutes=20)
    reports_rise(model, 200, sequence=2)
    keeps_champion(model)
    model.wait(hours=3)
    reports_rise(model, 205, sequence=3)
    assert model.run_number == 2
    reports_rise(model, 360, sequence=4)
    assert model.run_number == 3


def test_a_version_that_goes_live_has_a_loss_of_its_own() -> None:
    model = live()
    model.wait(minutes=20)
    reports_rise(model, 200, sequence=2)
    package = packaged(2, against="late-v1", competing=records())
    model.run_through(package, prepared=prepared(rows=1200, new=200, end="2024-04-10T00:00:00Z"), trained=[trial(0), scored()])
    model.ready("late-v2")
    assert model.status.retraining.losses == []
    model.wait(days=2)
    assert model.run_number == 2
