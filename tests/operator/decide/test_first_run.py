"""From a manifest to the first live version."""

from mlmodel_contract.run import Stage
from mlmodel_operator.cluster.cache import Ref
from mlmodel_operator.cluster.kinds import CLAIM, DEPLOYMENT, JOB, NETWORK_POLICY, SECRET, SERVICE, SERVICE_ACCOUNT

from tests.operator.support.story import Story


def test_the_first_turn_starts_the_first_run_and_makes_what_it_needs() -> None:
    story = Story()
    story.settle()

    assert story.decisions == ["RunStarted"]
    assert story.status.run is not None
    assert (story.run_number, story.status.run.reason, story.status.run.stage) == (1, "Initial", Stage.PREPARE)
    assert story.world.names(JOB) == ["late-r1-prepare"]
    assert story.world.names(CLAIM) == ["late-store"]
    assert story.world.names(SERVICE_ACCOUNT) == ["late-server", "late-trainer"]
    assert story.world.names(NETWORK_POLICY) == ["late-model-server", "late-trainer"]
    assert story.world.names(DEPLOYMENT) == []
    assert story.world.names(SERVICE) == []
    assert story.condition("Ready").status == "False"
    assert story.condition("Progressing").reason == "PrepareRunning"


def test_stages_follow_one_another_and_each_makes_its_job_once() -> None:
    story = Story()
    story.settle()
    seen = []
    for stage in Stage:
        seen.append(story.world.names(JOB)[:])
        story.ends(stage)

    assert [len(jobs) for jobs in seen] == [1, 2, 3, 4]
    assert [count for what, count in story.world.writes.items() if what.startswith("create Job")] == [1, 1, 1, 1]
    assert story.world.writes["create ModelVersion late-v1"] == 1


def test_an_accepted_version_is_live_once_its_pods_are_ready() -> None:
    story = Story()
    story.settle()
    story.run_through()

    assert story.run_state == "Succeeded"
    assert story.status.candidate is not None
    assert story.status.candidate.version == "late-v1"
    assert story.version_status(1).phase == "Candidate"
    assert Ref(SECRET, "late-prediction-key") in story.world.objects
    assert story.live is None
    assert story.traffic == "late-v1"  # its Service waits for the ready pods, so that the first request after Ready finds them
    assert "0 of 1 pods are ready" in story.condition("Progressing").message

    story.ready("late-v1")

    assert story.live == story.traffic == "late-v1"
    assert story.status.candidate is None
    assert story.version_status(1).phase == "Live"
    assert story.condition("Ready").status == "True"
    assert story.condition("Serving").reason == "PodsReady"
    assert story.decisions == ["RunStarted", "Accepted", "Promoted"]
    assert story.status.selector == "mlmodel.dev/model=late,mlmodel.dev/version=late-v1,app.kubernetes.io/component=model-server"


def test_the_version_holds_the_whole_lineage() -> None:
    story = Story()
    story.go_live()
    version = story.version(1)

    assert (version.model, version.run, version.reason, version.candidate) == ("late", 1, "Initial", "boosted")
    assert version.data is not None
    assert version.data.train_rows == 800
    assert version.metrics is not None
    assert version.comparison is None
    assert (version.decision.verdict, version.decision.reason) == ("Accepted", "CriteriaMet")
    assert "0.8" in version.decision.message


def test_data_is_valid_once_it_was_checked() -> None:
    story = Story()
    story.settle()
    assert story.condition("DataValid").status == "Unknown"
    story.ends(Stage.PREPARE)
    assert story.condition("DataValid").status == "True"
    assert "1000 rows" in story.condition("DataValid").message


def test_a_live_model_is_at_rest() -> None:
    story = Story()
    story.go_live()
    writes = story.world.writes.total()
    story.settle()
    story.restart()
    story.settle()
    assert story.world.writes.total() == writes
