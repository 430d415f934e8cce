"""The spec is edited, or suspended, at any time."""

from typing import Any

import pytest
from mlmodel_contract.environment import ENV_POD
from mlmodel_contract.manifest import BatcherSettings, RequestLimits, ServerSettings, Tracing
from mlmodel_contract.pod import PodDocument
from mlmodel_contract.run import Stage
from mlmodel_operator.cluster.cache import Ref
from mlmodel_operator.cluster.kinds import DEPLOYMENT, JOB, MODEL_VERSION

from tests.operator.support.in_memory_api import copied
from tests.operator.support.manifests import KEEP_LIVE, packaged, prepared, spec
from tests.operator.support.model_lifecycle import ModelLifecycle

OTHER_TRAINING = {"task": "Classification", "trials": 2, "selectBy": "log_loss"}


def test_a_run_is_cancelled_when_what_it_learns_from_changes_and_the_next_starts_at_once() -> None:
    model = ModelLifecycle()
    model.settle()
    model.ends(Stage.PREPARE)
    model.edit(training=OTHER_TRAINING)

    assert (model.run_number, model.run_state) == (2, "Running")
    assert model.status.run is not None
    assert model.status.run.reason == "SpecChanged"
    assert model.decisions == ["RunStarted", "RunCancelled", "RunStarted"]
    assert model.api.names(JOB) == ["late-r2-prepare"]


@pytest.mark.parametrize(
    "parts",
    [
        {"monitoring": {"falseAlarmProbability": 0.05}},
        {"retraining": {"cooldown": "2h"}},
        {"training": {"task": "Classification", "trials": 2, "timeout": "2h", "retries": 1, "parallelism": 2}},
        {"objective": {"criteria": [{"metric": "roc_auc", "min": 0.7}], "description": "Warn early.", "owner": "operations"}},
        {"serving": {"replicas": 2}},
    ],
)
def test_other_parts_cancel_and_start_nothing(parts: dict[str, object]) -> None:
    model = ModelLifecycle()
    model.settle()
    model.edit(**parts)
    assert model.decisions == ["RunStarted"]
    assert model.status.observed_generation == 2


def test_a_changed_spec_trains_a_version_that_need_not_beat_the_old_one() -> None:
    model = ModelLifecycle()
    model.go_live()
    model.edit(training=OTHER_TRAINING)
    assert model.status.run is not None
    assert (model.status.run.reason, model.status.run.champion) == ("SpecChanged", None)
    model.run_through()
    model.ready("late-v2")
    assert model.live == "late-v2"


def test_a_changed_spec_knows_no_cooldown() -> None:
    model = ModelLifecycle()
    model.go_live()
    assert model.condition("RetrainingPaused").reason == "CoolingDown"
    model.edit(training=OTHER_TRAINING)
    assert model.run_number == 2


def test_suspend_stops_a_run_and_leaves_serving_alone() -> None:
    model = ModelLifecycle()
    model.go_live()
    model.annotate(retrain="now")
    model.edit(suspend=True)

    assert model.run_state == "Cancelled"
    assert model.api.names(JOB) == []
    assert model.live == model.traffic == "late-v1"
    assert Ref(DEPLOYMENT, "late-v1") in model.api.objects
    assert model.condition("RetrainingPaused").reason == "Suspended"
    model.wait(days=3)
    assert model.run_number == 2


def test_suspended_from_the_start_nothing_begins() -> None:
    model = ModelLifecycle(spec(suspend=True))
    model.settle()
    assert model.status.run is None
    assert model.api.names(JOB) == []
    model.edit(suspend=None)
    assert model.run_number == 1


@pytest.mark.parametrize("reason", ["Manual", "SpecChanged"])
def test_what_suspension_cancelled_is_begun_again_after_it(reason: str) -> None:
    model = ModelLifecycle()
    model.go_live()
    if reason == "Manual":
        model.annotate(retrain="now")
    else:
        model.edit(training=OTHER_TRAINING)
    model.edit(suspend=True)
    model.edit(suspend=None)
    assert (model.run_number, model.run_state) == (3, "Running")
    assert model.status.run is not None
    assert model.status.run.reason == reason


def test_a_changed_spec_whose_run_failed_is_tried_again() -> None:
    """Else the old version would serve for ever what nobody declares any more."""
    model = ModelLifecycle()
    model.go_live()
    model.edit(training=OTHER_TRAINING)
    model.ends(Stage.PREPARE, prepared("SourceMissing"))
    model.wait(hours=1)
    assert (model.run_number, model.run_state) == (3, "Running")
    assert model.status.run is not None
    assert model.status.run.champion is None


def champion(model: ModelLifecycle) -> str | None:
    assert model.status.run is not None
    return model.status.run.champion


def test_no_run_has_to_beat_a_version_of_an_earlier_spec() -> None:
    """Whatever became of the run before: the two may not even predict the same."""
    model = ModelLifecycle(spec(objective=KEEP_LIVE))
    model.go_live()
    model.edit(training=OTHER_TRAINING)
    model.run_through(packaged(2, roc_auc=0.5))
    assert (model.run_state, model.live) == ("Rejected", "late-v1")
    model.annotate(retrain="now")
    assert (model.run_number, champion(model)) == (3, None)
    model.run_through(packaged(3, roc_auc=0.5))
    model.wait(hours=2)
    assert (model.run_number, champion(model)) == (4, None)
    model.run_through()
    model.ready("late-v4")
    model.annotate(retrain="again")
    assert champion(model) == "late-v4"


def test_a_rollback_to_a_version_of_an_earlier_spec_lasts_until_a_person_asks_for_a_run() -> None:
    model = ModelLifecycle()
    model.go_live()
    model.edit(training=OTHER_TRAINING)
    model.run_through()
    model.ready("late-v2")
    model.annotate(rollback_to="late-v1")
    model.wait(days=2)
    assert (model.live, model.run_number) == ("late-v1", 2)
    model.annotate(retrain="now")
    assert champion(model) is None


def test_a_spec_that_is_changed_back_has_its_champion_again() -> None:
    model = ModelLifecycle()
    model.go_live()
    model.edit(training=OTHER_TRAINING)
    model.edit(training=spec()["training"])
    assert (model.run_number, champion(model)) == (3, "late-v1")


def test_a_version_of_an_earlier_operator_does_not_say_what_spec_it_is_of() -> None:
    model = ModelLifecycle()
    model.go_live()
    version = copied(model.api.objects[Ref(MODEL_VERSION, "late-v1")])
    del version["spec"]["specDigest"]
    model.api.remove(MODEL_VERSION, "late-v1")
    model.api.put(version)
    model.annotate(retrain="now")
    assert champion(model) == "late-v1"
    model.edit(training=OTHER_TRAINING)
    assert champion(model) is None
    model.ends(Stage.PREPARE, prepared("SourceMissing"))
    model.wait(hours=1)
    assert (model.run_number, champion(model)) == (4, None)


def test_resources_of_the_live_version_are_rolled_out_in_place() -> None:
    model = ModelLifecycle()
    model.go_live()
    model.edit(serving={"resources": {"limits": {"memory": "2Gi"}}})
    container = model.api.objects[Ref(DEPLOYMENT, "late-v1")]["spec"]["template"]["spec"]["containers"][0]
    assert container["resources"]["limits"] == {"memory": "2Gi"}
    assert model.run_number == 1


def test_the_pods_of_the_live_version_know_where_spans_go_and_no_longer() -> None:
    model = ModelLifecycle()
    model.go_live()
    model.edit(serving={"tracing": {"endpoint": "http://collector:4317"}})
    assert _document(model).tracing == Tracing(endpoint="http://collector:4317", sample_ratio=0.01)
    model.edit(serving={})
    assert _document(model).tracing is None
    assert model.decisions[-1] != "RunStarted"


def _pod(model: ModelLifecycle) -> dict[str, Any]:
    pod: dict[str, Any] = model.api.objects[Ref(DEPLOYMENT, "late-v1")]["spec"]["template"]["spec"]
    return pod


def _document(model: ModelLifecycle) -> PodDocument:
    """The document that the live version's server is given."""
    (variable,) = (variable for variable in _pod(model)["containers"][0]["env"] if variable["name"] == ENV_POD)
    return PodDocument.model_validate_json(variable["value"])


def test_settings_of_the_server_are_rolled_out_in_place() -> None:
    model = ModelLifecycle()
    model.go_live()
    model.edit(
        serving={
            "workers": 2,
            "batcher": {"maxBatchSize": 256, "maxLatency": "2ms"},
            "limits": {"maxRequests": 10},
            "timeout": "1m",
        }
    )
    assert _document(model).serving == ServerSettings(
        workers=2, batcher=BatcherSettings(max_batch_size=256, max_latency="2ms"), limits=RequestLimits(max_requests=10), timeout="1m"
    )
    assert model.run_number == 1


def test_a_manifest_that_sets_nothing_of_the_server_tells_it_nothing() -> None:
    """So an operator that learns of new settings changes no pod template, and a server that knows none of them still reads the document."""
    model = ModelLifecycle()
    model.go_live()
    before = _pod(model)
    model.edit(serving={"workers": 1, "batcher": {"maxLatency": "0s"}})
    assert "serving" not in _document(model).wire()
    assert _pod(model) == before


def test_a_pod_that_ends_gives_requests_as_long_as_they_may_take() -> None:
    model = ModelLifecycle()
    model.go_live()
    model.edit(serving={"timeout": "2m"})
    assert _document(model).drain == "120s"
    assert _pod(model)["terminationGracePeriodSeconds"] > 120
