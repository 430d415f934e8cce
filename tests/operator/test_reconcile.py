"""Reconciling as a whole: what cannot be read, a model that is gone, writes on an outdated view, and what the metrics say."""

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

from tests.operator.support import fake_controllers
from tests.operator.support.manifests import NAME, fine
from tests.operator.support.model_lifecycle import CONFIG, KEY, ModelLifecycle, finished


def reconcile(model: ModelLifecycle) -> float | None:
    model.observe()
    return finished(Reconciler(cast(Client, model.api), model.cache, CONFIG)(KEY))


def value(name: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(name, {"namespace": "team", "name": NAME, **labels})


def series() -> list[dict[str, str]]:
    """The labels of every series of the model."""
    samples = [sample for family in REGISTRY.collect() for sample in family.samples]
    return [sample.labels for sample in samples if (sample.labels.get("namespace"), sample.labels.get("name")) == ("team", NAME)]


def test_a_turn_does_everything_and_says_when_to_requeue_after() -> None:
    model = ModelLifecycle()
    assert reconcile(model) == 15
    reconcile(model)
    assert model.api.names(JOB) == ["late-r1-prepare"]
    assert value("mlmodel_run_info", stage="Prepare", state="Running", reason="Initial") == 1
    assert value("mlmodel_ready") == 0


@pytest.mark.parametrize("kind", [ML_MODEL, MODEL_VERSION])
def test_what_cannot_be_read_is_reported_once_and_nothing_else_is_touched(kind: object, caplog: pytest.LogCaptureFixture) -> None:
    model = ModelLifecycle()
    model.go_live()
    name = NAME if kind is ML_MODEL else "late-v1"
    before = model.status
    assert kind in (ML_MODEL, MODEL_VERSION)
    model.api.change(ML_MODEL if kind is ML_MODEL else MODEL_VERSION, name, lambda body: body["spec"].update(fromTheFuture=1))
    writes = model.api.writes.total()
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            assert reconcile(model) is None

    ready = model.condition("Ready")
    assert (ready.status, ready.reason) == ("False", "SpecUnreadable")
    assert "fromTheFuture" in ready.message
    assert "upgrade the CRDs and the operator together" in ready.message
    assert model.api.writes.total() == writes + 1
    assert model.status.live == before.live
    assert model.status.run == before.run


def test_a_model_that_is_gone_or_going_is_left_to_the_garbage_collector() -> None:
    model = ModelLifecycle()
    model.go_live()
    reconcile(model)
    model.api.change(ML_MODEL, NAME, lambda body: body["metadata"].update(deletionTimestamp="2024-05-01T00:00:00Z"))
    writes = model.api.writes.total()
    assert reconcile(model) is None
    model.api.remove(ML_MODEL, NAME)
    assert reconcile(model) is None
    assert model.api.writes.total() == writes
    assert value("mlmodel_ready") is None
    model.api.collect_garbage()
    assert [ref for ref in model.api.objects if ref.kind is not POD] == []


def test_counters_of_a_model_go_with_it() -> None:
    model = ModelLifecycle()
    reconcile(model)
    assert value("mlmodel_decisions_total", decision="RunStarted")
    model.api.remove(ML_MODEL, NAME)
    reconcile(model)
    assert value("mlmodel_decisions_total", decision="RunStarted") is None


def test_on_an_outdated_view_nothing_is_written() -> None:
    model = ModelLifecycle()
    model.settle()
    fake_controllers.complete(model.api, 1, Stage.PREPARE, fine(Stage.PREPARE, 1, None), model.now)
    model.api.change(ML_MODEL, NAME, lambda body: body["spec"].update(suspend=True))
    for kind in (JOB, POD):
        model.api.deliver(model.cache, kind)
    jobs, writes = model.api.names(JOB), model.api.writes.total()
    with pytest.raises(ConflictError):
        model.reconcile()
    assert (model.api.names(JOB), model.api.writes.total()) == (jobs, writes)


def test_a_refused_write_ends_the_turn_and_the_next_one_goes_on() -> None:
    model = ModelLifecycle()

    def refuse(what: str) -> None:
        if what.startswith("create Job"):
            raise RefusedError("exceeded quota", 403)

    model.api.before = refuse
    for _ in range(3):
        model.observe()
        with pytest.raises(ClusterError, match="quota"):
            model.settle()
    model.api.before = lambda _: None
    model.settle()
    assert model.api.names(JOB) == ["late-r1-prepare"]
    assert model.decisions == ["RunStarted"]


def test_failed_turns_are_counted_by_cause(caplog: pytest.LogCaptureFixture) -> None:
    reconciler = Reconciler(cast(Client, None), ModelLifecycle().cache, CONFIG)
    for error, outcome in [(ConflictError("old"), "conflict"), (ClusterError("no"), "refused"), (ValueError("bug"), "error")]:
        before = REGISTRY.get_sample_value("mlmodel_operator_reconciles_total", {"outcome": outcome}) or 0
        reconciler.record_failure(KEY, error)
        assert REGISTRY.get_sample_value("mlmodel_operator_reconciles_total", {"outcome": outcome}) == before + 1
    assert "unexpected error" in caplog.text


def test_metrics_of_a_model_follow_its_status_and_go_with_it() -> None:
    model = ModelLifecycle()
    model.go_live()
    model.reports("late-v1", fake_controllers.LiveRows(2000, shifted=True, labels=500, loss=2.0, due=1000))
    drift = model.status.drift
    assert drift is not None
    metrics.set_model_metrics(KEY, model.status)
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
    assert value("mlmodel_runs_failed_in_a_row") == 0
    metrics.remove_model_metrics(KEY)
    assert series() == []
    assert Ref(ML_MODEL, NAME) in model.api.objects


def test_figures_that_are_not_known_are_absent() -> None:
    model = ModelLifecycle()
    model.go_live()
    model.reports("late-v1", fake_controllers.LiveRows(70))
    metrics.set_model_metrics(KEY, model.status)
    assert value("mlmodel_live_rows", version="late-v1", outcome="counted") == 70
    assert value("mlmodel_label_coverage", version="late-v1") is None, "no row is due"
    assert value("mlmodel_live_loss", version="late-v1") is None
    assert value("mlmodel_criterion_value", version="late-v1", metric="roc_auc") is None


def test_only_the_live_version_has_series() -> None:
    model = ModelLifecycle()
    model.go_live()
    model.reports("late-v1", fake_controllers.LiveRows(2000, shifted=True, labels=500, loss=2.0, due=1000))
    metrics.set_model_metrics(KEY, model.status)
    assert {labels["version"] for labels in series() if "version" in labels} == {"late-v1"}
    metrics.set_model_metrics(KEY, model.status.replace(live=LiveVersion(version="late-v2", since="2024-05-02T00:00:00Z"), drift=None))
    assert {labels["version"] for labels in series() if "version" in labels} == {"late-v2"}
    assert value("mlmodel_criterion_met", version="late-v2", metric="roc_auc", bound=">= 0.7") is None, "it is that of the version before"
    metrics.set_model_metrics(KEY, model.status.replace(live=None))
    assert [labels for labels in series() if "version" in labels] == []


def test_runs_that_came_to_nothing_are_reported() -> None:
    model = ModelLifecycle()
    model.settle()
    memory = model.status.retraining.replace(failed_in_a_row=3)
    metrics.set_model_metrics(KEY, model.status.replace(retraining=memory))
    assert value("mlmodel_runs_failed_in_a_row") == 3
