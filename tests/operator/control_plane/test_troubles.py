"""What a user has to know: bad data, dying trainers, schedules that cannot be read, reports that cannot be believed."""

import pytest
from mlmodel_contract.run import Stage
from mlmodel_operator.cluster.kinds import JOB, MONITOR_REPORT, POD

from devtools.cluster.kubectl import Kubectl
from devtools.waiting import wait_until
from tests.operator.control_plane.support.api import Api
from tests.operator.control_plane.support.declared_model import DeclaredModel
from tests.operator.control_plane.support.fake_kubelet import goes_well
from tests.operator.control_plane.support.process import OperatorProcess
from tests.operator.support.fake_controllers import OUT_OF_MEMORY, ContainerEnd, LiveRows, killed
from tests.operator.support.manifests import prepared, spec

GOOD = goes_well(Stage.PREPARE, "late")


@pytest.mark.usefixtures("operator")
def test_bad_data_is_not_learnt_from_and_reported_and_tried_again(model: DeclaredModel, api: Api, kubectl: Kubectl) -> None:
    bad = ContainerEnd(prepared("MissingColumn").model_dump_json(by_alias=True))
    model.kubelet.outcomes[Stage.PREPARE] = lambda run, index: bad if run == 1 else GOOD(run, index)
    model.declare()
    model.until(lambda: model.condition("DataValid").get("status") == "False", "it is reported")
    assert "MissingColumn: look at data.sources" in model.condition("DataValid")["message"]
    assert api.names(JOB) == ["late-r1-prepare"]
    assert "MissingColumn" in kubectl("describe", "mlm/late")
    model.until(lambda: model.live == "late-v2", "the next run is better", 120)


@pytest.mark.usefixtures("operator")
def test_a_trainer_that_dies_is_tried_again_by_its_job(model: DeclaredModel) -> None:
    deaths: list[int] = []

    def dies_once(run: int, index: int) -> ContainerEnd | None:
        deaths.append(index)
        return OUT_OF_MEMORY if len(deaths) == 1 else GOOD(run, index)

    model.kubelet.outcomes[Stage.PREPARE] = dies_once
    model.declare(spec(training={"task": "Classification", "trials": 2, "retries": 1}))
    model.until(lambda: "OOMKilled" in model.status.get("run", {}).get("progress", ""), "it is reported while it is tried again")
    assert "last line of its log: fitting boosted" in model.condition("Progressing")["message"]
    model.until(lambda: model.live == "late-v1", "the first version is live", 120)
    assert len(deaths) == 2


@pytest.mark.usefixtures("operator")
def test_a_trainer_that_always_dies_fails_the_run_with_its_last_line(model: DeclaredModel) -> None:
    model.kubelet.outcomes[Stage.PREPARE] = lambda _run, _index: killed("Traceback\nValueError: it cannot be\n")
    model.declare(spec(training={"task": "Classification", "trials": 2, "retries": 0}))
    model.until(lambda: model.run == (1, "Prepare", "Failed"), "the run has failed")
    assert model.status["run"]["progress"] == "Prepare: Error: ended with exit code 1; last line of its log: ValueError: it cannot be"
    assert model.condition("Ready")["reason"] == "RunFailed"


@pytest.mark.usefixtures("operator")
def test_a_trainer_that_takes_too_long_is_ended(model: DeclaredModel) -> None:
    model.kubelet.outcomes[Stage.PREPARE] = lambda _run, _index: None
    in_several_pods = {"parallelism": 2}
    model.declare(spec(training={"task": "Classification", "timeout": "2s", "retries": 0, **in_several_pods}))
    model.until(lambda: model.run == (1, "Prepare", "Failed"), "the run has failed")
    assert "timed out after 37 seconds; raise training.timeout" in model.status["run"]["progress"]


@pytest.mark.usefixtures("operator")
def test_a_schedule_that_cannot_be_read_is_reported(model: DeclaredModel) -> None:
    model.declare(spec(retraining={"triggers": ["Schedule"], "schedule": "every night"}))
    model.until(lambda: model.condition("RetrainingPaused").get("reason") == "ScheduleUnreadable", "it is reported")
    assert "'every night'" in model.condition("RetrainingPaused")["message"]
    model.until(lambda: model.live == "late-v1", "the first version is live all the same")


def test_reports_that_cannot_be_true_move_nothing(model: DeclaredModel, api: Api, operator: OperatorProcess) -> None:
    model.declare(spec(retraining={"cooldown": "1s"}))
    model.until(lambda: model.live == "late-v1", "the first version is live")
    model.kubelet.report("late-v1", LiveRows(100))
    model.until(lambda: model.status.get("drift", {}).get("rows") == 100, "the honest rows are counted")
    honest = api.get(MONITOR_REPORT, api.names(POD, "mlmodel.dev/version=late-v1")[0])
    lies = {
        "foreign": {"version": "late-v9"},
        "torn": {"rows": {"served": 9000, "counted": 9000}},
        "huge": {"rows": {"served": 10**15, "counted": 10**15}, "sequence": 10**15},
        "absurd": {"labels": {"rows": 5000, "loss": 10**18, "lossSquared": 0}},
        "other-model": {"model": "early"},
        "timeless": {"time": "yesterday"},
    }
    for name, lie in lies.items():
        labels = honest["metadata"]["labels"]
        api.create(MONITOR_REPORT, {"metadata": {"name": name, "labels": labels}, "spec": honest["spec"] | lie})
    wait_until(lambda: "mlmodel_reports_refused_total{" in operator.page("metrics"), "lies are counted", 30)
    model.until(lambda: api.find(MONITOR_REPORT, "timeless") is None, "reports of no pod go")
    assert model.status["drift"]["rows"] in (100, 200)
    assert model.run == (1, "Verify", "Succeeded")
    assert model.status["drift"]["state"] == "None"
    assert "unexpected error" not in operator.log
