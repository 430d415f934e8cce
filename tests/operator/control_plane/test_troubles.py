"""What a user has to be told: bad data, dying trainers, schedules that cannot be read, reports that cannot be believed."""

import pytest
from mlmodel_contract.run import Stage
from mlmodel_operator.cluster.kinds import JOB, MONITOR_REPORT, POD

from devtools.cluster.kubectl import Kubectl
from devtools.waiting import wait_until
from tests.operator.control_plane.support.api import Api
from tests.operator.control_plane.support.players import Loop, goes_well
from tests.operator.control_plane.support.process import OperatorProcess
from tests.operator.support.manifests import prepared, spec
from tests.operator.support.players import OUT_OF_MEMORY, Ended, Live, killed

GOOD = goes_well(Stage.PREPARE, "late")


@pytest.mark.usefixtures("operator")
def test_bad_data_is_not_learnt_from_and_told_and_tried_again(loop: Loop, api: Api, kubectl: Kubectl) -> None:
    bad = Ended(prepared("MissingColumn").model_dump_json(by_alias=True))
    loop.kubelet.outcomes[Stage.PREPARE] = lambda run, index: bad if run == 1 else GOOD(run, index)
    loop.declare()
    loop.until(lambda: loop.condition("DataValid").get("status") == "False", "it is told")
    assert "MissingColumn: look at data.sources" in loop.condition("DataValid")["message"]
    assert api.names(JOB) == ["late-r1-prepare"]
    assert "MissingColumn" in kubectl("describe", "mlm/late")
    loop.until(lambda: loop.live == "late-v2", "the next run is better", 120)


@pytest.mark.usefixtures("operator")
def test_a_trainer_that_dies_is_tried_again_by_its_job(loop: Loop) -> None:
    deaths: list[int] = []

    def dies_once(run: int, index: int) -> Ended | None:
        deaths.append(index)
        return OUT_OF_MEMORY if len(deaths) == 1 else GOOD(run, index)

    loop.kubelet.outcomes[Stage.PREPARE] = dies_once
    loop.declare(spec(training={"task": "Classification", "trials": 2, "retries": 1}))
    loop.until(lambda: "OOMKilled" in loop.status.get("run", {}).get("progress", ""), "it is told while it is tried again")
    assert "last line of its log: fitting boosted" in loop.condition("Progressing")["message"]
    loop.until(lambda: loop.live == "late-v1", "the first version is live", 120)
    assert len(deaths) == 2


@pytest.mark.usefixtures("operator")
def test_a_trainer_that_always_dies_fails_the_run_with_its_last_line(loop: Loop) -> None:
    loop.kubelet.outcomes[Stage.PREPARE] = lambda _run, _index: killed("Traceback\nValueError: it cannot be\n")
    loop.declare(spec(training={"task": "Classification", "trials": 2, "retries": 0}))
    loop.until(lambda: loop.run == (1, "Prepare", "Failed"), "the run has failed")
    assert loop.status["run"]["progress"] == "Prepare: Error: ended with exit code 1; last line of its log: ValueError: it cannot be"
    assert loop.condition("Ready")["reason"] == "RunFailed"


@pytest.mark.usefixtures("operator")
def test_a_trainer_that_takes_too_long_is_ended(loop: Loop) -> None:
    loop.kubelet.outcomes[Stage.PREPARE] = lambda _run, _index: None
    loop.declare(spec(training={"task": "Classification", "timeout": "2s", "retries": 0}))
    loop.until(lambda: loop.run == (1, "Prepare", "Failed"), "the run has failed")
    assert "timed out after 37 seconds; raise training.timeout" in loop.status["run"]["progress"]


@pytest.mark.usefixtures("operator")
def test_a_schedule_that_cannot_be_read_is_told(loop: Loop) -> None:
    loop.declare(spec(retraining={"triggers": ["Schedule"], "schedule": "every night"}))
    loop.until(lambda: loop.condition("RetrainingPaused").get("reason") == "ScheduleUnreadable", "it is told")
    assert "'every night'" in loop.condition("RetrainingPaused")["message"]
    loop.until(lambda: loop.live == "late-v1", "the first version is live all the same")


def test_reports_that_cannot_be_true_move_nothing(loop: Loop, api: Api, operator: OperatorProcess) -> None:
    loop.declare(spec(retraining={"cooldown": "1s"}))
    loop.until(lambda: loop.live == "late-v1", "the first version is live")
    loop.kubelet.report("late-v1", Live(100))
    loop.until(lambda: loop.status.get("drift", {}).get("rows") == 100, "the honest rows are counted")
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
    loop.until(lambda: api.find(MONITOR_REPORT, "timeless") is None, "reports of no pod go")
    assert loop.status["drift"]["rows"] in (100, 200)
    assert loop.run == (1, "Verify", "Succeeded")
    assert loop.status["drift"]["state"] == "None"
    assert "unexpected error" not in operator.log
