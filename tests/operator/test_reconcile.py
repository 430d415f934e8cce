"""A turn as a whole: what cannot be read, a model that is gone, writes on an outdated view, and what the metrics say."""

import logging
from typing import cast

import pytest
from mlmodel_contract.run import Stage
from mlmodel_contract.status import LiveVersion
from mlmodel_operator import metrics
from mlmodel_operator.cluster.cache import Ref
from mlmodel_operator.cluster.client import Client
from mlmodel_operator.cluster.kinds import JOB, ML_MODEL, MODEL_VERSION, POD
from mlmodel_operator.errors import ClusterError, ConflictError, RefusedError
from mlmodel_operator.reconcile import Reconciler
from prometheus_client import REGISTRY

from tests.operator.support import players
from tests.operator.support.manifests import NAME, fine
from tests.operator.support.story import CONFIG, KEY, Story, finished


def turn(story: Story) -> float | None:
    story.observe()
    return finished(Reconciler(cast(Client, story.world), story.cache, CONFIG)(KEY))


def value(name: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(name, {"namespace": "team", "name": NAME, **labels})


def series() -> list[dict[str, str]]:
    """The labels of everything that is told about the model."""
    samples = [sample for family in REGISTRY.collect() for sample in family.samples]
    return [sample.labels for sample in samples if (sample.labels.get("namespace"), sample.labels.get("name")) == ("team", NAME)]


def test_a_turn_does_everything_and_says_when_to_look_again() -> None:
    story = Story()
    assert turn(story) == 15
    turn(story)
    assert story.world.names(JOB) == ["late-r1-prepare"]
    assert value("mlmodel_run_info", stage="Prepare", state="Running", reason="Initial") == 1
    assert value("mlmodel_ready") == 0


@pytest.mark.parametrize("kind", [ML_MODEL, MODEL_VERSION])
def test_what_cannot_be_read_is_told_once_and_nothing_else_is_touched(kind: object, caplog: pytest.LogCaptureFixture) -> None:
    story = Story()
    story.go_live()
    name = NAME if kind is ML_MODEL else "late-v1"
    before = story.status
    assert kind in (ML_MODEL, MODEL_VERSION)
    story.world.change(ML_MODEL if kind is ML_MODEL else MODEL_VERSION, name, lambda body: body["spec"].update(fromTheFuture=1))
    writes = story.world.writes.total()
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            assert turn(story) is None

    ready = story.condition("Ready")
    assert (ready.status, ready.reason) == ("False", "SpecUnreadable")
    assert "fromTheFuture" in ready.message
    assert "upgrade the CRDs and the operator together" in ready.message
    assert story.world.writes.total() == writes + 1
    assert story.status.live == before.live
    assert story.status.run == before.run


def test_a_model_that_is_gone_or_going_is_left_to_the_garbage_collector() -> None:
    story = Story()
    story.go_live()
    turn(story)
    story.world.change(ML_MODEL, NAME, lambda body: body["metadata"].update(deletionTimestamp="2024-05-01T00:00:00Z"))
    writes = story.world.writes.total()
    assert turn(story) is None
    story.world.remove(ML_MODEL, NAME)
    assert turn(story) is None
    assert story.world.writes.total() == writes
    assert value("mlmodel_ready") is None
    story.world.collect_garbage()
    assert [ref for ref in story.world.objects if ref.kind is not POD] == []


def test_counters_of_a_model_go_with_it() -> None:
    story = Story()
    turn(story)
    assert value("mlmodel_decisions_total", decision="RunStarted")
    story.world.remove(ML_MODEL, NAME)
    turn(story)
    assert value("mlmodel_decisions_total", decision="RunStarted") is None


def test_on_an_outdated_view_nothing_is_written() -> None:
    story = Story()
    story.settle()
    players.complete(story.world, 1, Stage.PREPARE, fine(Stage.PREPARE, 1, None), story.now)
    story.world.change(ML_MODEL, NAME, lambda body: body["spec"].update(suspend=True))
    for kind in (JOB, POD):
        story.world.deliver(story.cache, kind)
    jobs, writes = story.world.names(JOB), story.world.writes.total()
    with pytest.raises(ConflictError):
        story.take_turn()
    assert (story.world.names(JOB), story.world.writes.total()) == (jobs, writes)


def test_a_refused_write_ends_the_turn_and_the_next_one_goes_on() -> None:
    story = Story()

    def refuse(what: str) -> None:
        if what.startswith("create Job"):
            raise RefusedError("exceeded quota", 403)

    story.world.before = refuse
    for _ in range(3):
        story.observe()
        with pytest.raises(ClusterError, match="quota"):
            story.settle()
    story.world.before = lambda _: None
    story.settle()
    assert story.world.names(JOB) == ["late-r1-prepare"]
    assert story.decisions == ["RunStarted"]


def test_failed_turns_are_counted_by_cause(caplog: pytest.LogCaptureFixture) -> None:
    reconciler = Reconciler(cast(Client, None), Story().cache, CONFIG)
    for error, outcome in [(ConflictError("old"), "conflict"), (ClusterError("no"), "refused"), (ValueError("bug"), "error")]:
        before = REGISTRY.get_sample_value("mlmodel_operator_reconciles_total", {"outcome": outcome}) or 0
        reconciler.failed(KEY, error)
        assert REGISTRY.get_sample_value("mlmodel_operator_reconciles_total", {"outcome": outcome}) == before + 1
    assert "unexpected error" in caplog.text


def test_metrics_of_a_model_follow_its_status_and_go_with_it() -> None:
    story = Story()
    story.go_live()
    story.reports("late-v1", players.Live(2000, shifted=True, labels=500, loss=2.0, due=1000))
    drift = story.status.drift
    assert drift is not None
    metrics.show(KEY, story.status)
    assert value("mlmodel_live_version_info", version="late-v1") == 1
    assert value("mlmodel_drift_state", version="late-v1") == 2
    assert value("mlmodel_drift_severe", version="late-v1") == 1
    assert value("mlmodel_drift_total_evidence", version="late-v1") == drift.evidence > 5.4
    assert value("mlmodel_drift_evidence", version="late-v1", feature="distance") == drift.features[0].evidence
    assert value("mlmodel_harm_state", version="late-v1") == 2
    assert value("mlmodel_feed_broken", version="late-v1") == 0
    assert value("mlmodel_live_loss", version="late-v1") == pytest.approx(2)
    assert value("mlmodel_live_loss_bound", version="late-v1") == drift.loss_bound
    assert value("mlmodel_live_loss_reference", version="late-v1") == drift.loss_reference
    assert value("mlmodel_criterion_met", version="late-v1", metric="roc_auc", bound=">= 0.7") == 1
    assert value("mlmodel_label_coverage", version="late-v1") == 0.5
    assert value("mlmodel_live_rows", version="late-v1", outcome="counted") == 2000
    assert value("mlmodel_runs_rejected_in_a_row") == 0
    metrics.forget(KEY)
    assert series() == []
    assert Ref(ML_MODEL, NAME) in story.world.objects


def test_figures_that_are_not_known_are_absent() -> None:
    story = Story()
    story.go_live()
    story.reports("late-v1", players.Live(70))
    metrics.show(KEY, story.status)
    assert value("mlmodel_live_rows", version="late-v1", outcome="counted") == 70
    assert value("mlmodel_label_coverage", version="late-v1") is None, "no row is due"
    assert value("mlmodel_live_loss", version="late-v1") is None
    assert value("mlmodel_criterion_value", version="late-v1", metric="roc_auc") is None


def test_only_the_live_version_has_series() -> None:
    story = Story()
    story.go_live()
    story.reports("late-v1", players.Live(2000, shifted=True, labels=500, loss=2.0, due=1000))
    metrics.show(KEY, story.status)
    assert {labels["version"] for labels in series() if "version" in labels} == {"late-v1"}
    metrics.show(KEY, story.status.model_copy(update={"live": LiveVersion(version="late-v2", since="2024-05-02T00:00:00Z"), "drift": None}))
    assert {labels["version"] for labels in series() if "version" in labels} == {"late-v2"}
    assert value("mlmodel_criterion_met", version="late-v2", metric="roc_auc", bound=">= 0.7") is None, "it is that of the version before"
    metrics.show(KEY, story.status.model_copy(update={"live": None}))
    assert [labels for labels in series() if "version" in labels] == []


def test_runs_that_came_to_nothing_are_told() -> None:
    story = Story()
    story.settle()
    memory = story.status.retraining.model_copy(update={"rejected_in_a_row": 3})
    metrics.show(KEY, story.status.model_copy(update={"retraining": memory}))
    assert value("mlmodel_runs_rejected_in_a_row") == 3
