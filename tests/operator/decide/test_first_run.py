"""From a manifest to the first live version."""

from mlmodel_contract.run import Stage
from mlmodel_operator.cluster.cache import Ref
from mlmodel_operator.cluster.kinds import CLAIM, DEPLOYMENT, JOB, NETWORK_POLICY, SECRET, SERVICE, SERVICE_ACCOUNT

from tests.operator.support.model_lifecycle import ModelLifecycle


def test_the_first_turn_starts_the_first_run_and_makes_what_it_needs() -> None:
    model = ModelLifecycle()
    model.settle()

    assert model.decisions == ["RunStarted"]
    assert model.status.run is not None
    assert (model.run_number, model.status.run.reason, model.status.run.stage) == (1, "Initial", Stage.PREPARE)
    assert model.api.names(JOB) == ["late-r1-prepare"]
    assert model.api.names(CLAIM) == ["late-store"]
    assert model.api.names(SERVICE_ACCOUNT) == ["late-server", "late-trainer"]
    assert model.api.names(NETWORK_POLICY) == ["late-model-server", "late-trainer"]
    assert model.api.names(DEPLOYMENT) == []
    assert model.api.names(SERVICE) == []
    assert model.condition("Ready").status == "False"
    assert model.condition("Progressing").reason == "PrepareRunning"


def test_stages_follow_one_another_and_each_makes_its_job_once() -> None:
    model = ModelLifecycle()
    model.settle()
    jobs_by_stage = []
    for stage in Stage:
        jobs_by_stage.append(model.api.names(JOB)[:])
        model.ends(stage)

    assert [len(jobs) for jobs in jobs_by_stage] == [1, 2, 3, 4]
    assert [count for what, count in model.api.writes.items() if what.startswith("create Job")] == [1, 1, 1, 1]
    assert model.api.writes["create ModelVersion late-v1"] == 1


def test_an_accepted_version_is_live_once_its_pods_are_ready() -> None:
    model = ModelLifecycle()
    model.settle()
    model.run_through()

    assert model.run_state == "Succeeded"
    assert model.status.candidate is not None
    assert model.status.candidate.version == "late-v1"
    assert model.version_status(1).phase == "Candidate"
    assert Ref(SECRET, "late-prediction-key") in model.api.objects
    assert model.live is None
    assert model.traffic == "late-v1"  # its Service waits for the ready pods, so that the first request after Ready finds them
    assert "0 of 1 pods are ready" in model.condition("Progressing").message

    model.ready("late-v1")

    assert model.live == model.traffic == "late-v1"
    assert model.status.candidate is None
    assert model.version_status(1).phase == "Live"
    assert model.condition("Ready").status == "True"
    assert model.condition("Serving").reason == "PodsReady"
    assert model.decisions == ["RunStarted", "Accepted", "Promoted"]
    assert model.status.selector == "mlmodel.dev/model=late,mlmodel.dev/version=late-v1,app.kubernetes.io/component=model-server"


def test_the_version_holds_the_whole_lineage() -> None:
    model = ModelLifecycle()
    model.go_live()
    version = model.version(1)

    assert (version.model, version.run, version.reason, version.candidate) == ("late", 1, "Initial", "boosted")
    assert version.data is not None
    assert version.data.train_rows == 800
    assert version.metrics is not None
    assert version.comparison is None
    assert (version.decision.verdict, version.decision.reason) == ("Accepted", "CriteriaMet")
    assert "0.8" in version.decision.message


def test_data_is_valid_once_it_was_checked() -> None:
    model = ModelLifecycle()
    model.settle()
    assert model.condition("DataValid").status == "Unknown"
    model.ends(Stage.PREPARE)
    assert model.condition("DataValid").status == "True"
    assert "1000 rows" in model.condition("DataValid").message


def test_a_live_model_is_at_rest() -> None:
    model = ModelLifecycle()
    model.go_live()
    writes = model.api.writes.total()
    model.settle()
    model.restart()
    model.settle()
    assert model.api.writes.total() == writes
