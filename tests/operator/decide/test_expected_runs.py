"""What comes next: which runs the status says may come, and what each waits for."""

from mlmodel_contract.run import Stage
from mlmodel_contract.status import ExpectedRun
from mlmodel_contract.version import Reason

from tests.operator.support import fake_controllers
from tests.operator.support.fake_controllers import LiveRows
from tests.operator.support.manifests import spec
from tests.operator.support.model_lifecycle import ModelLifecycle


def expected(model: ModelLifecycle) -> dict[Reason, ExpectedRun]:
    return {one.reason: one for one in model.status.retraining.next}


def test_only_triggers_that_the_manifest_names_are_waited_for() -> None:
    model = ModelLifecycle(spec(retraining={"triggers": ["Performance"]}))
    model.settle()
    assert expected(model) == {}, "a first run is under way"
    model.run_through()
    model.ready("late-v1")
    assert list(expected(model)) == [Reason.PERFORMANCE]
    model.edit(suspend=True)
    assert expected(model) == {}


def test_without_a_live_version_the_next_run_is_another_attempt() -> None:
    model = ModelLifecycle()
    model.settle()
    fake_controllers.fail(model.api, 1, Stage.PREPARE, model.now, fake_controllers.killed())
    model.settle()
    assert list(expected(model)) == [Reason.RETRY]
    assert "no version is live" in expected(model)[Reason.RETRY].message


def test_a_trigger_that_can_never_fire_says_why() -> None:
    model = ModelLifecycle(spec(retraining={"triggers": ["NewRows", "Schedule"], "schedule": "at dawn"}))
    model.go_live()
    assert expected(model)[Reason.NEW_ROWS].labels is None
    assert "no source is captured" in expected(model)[Reason.NEW_ROWS].message
    assert "cannot be read" in expected(model)[Reason.SCHEDULE].message


def test_a_rise_of_the_loss_is_told_before_during_and_after_the_pause() -> None:
    model = ModelLifecycle(spec(retraining={"triggers": ["Performance"], "cooldown": "6h"}))
    model.go_live()
    assert "labels or more are needed to tell" in expected(model)[Reason.PERFORMANCE].message
    model.wait(minutes=1)
    model.reports("late-v1", LiveRows(1_000, labels=100, due=100))
    model.wait(minutes=1)
    model.reports("late-v1", LiveRows(1_200, labels=300, loss=0.5, due=300), sequence=2)
    assert "at the last look the loss of the last 200 labels is 0.5, 0.0 standard errors" in expected(model)[Reason.PERFORMANCE].message
    model.reports("late-v1", LiveRows(1_400, labels=500, loss=0.6, due=500), sequence=3)
    assert expected(model)[Reason.PERFORMANCE].message.startswith("what holds runs back: the loss of the last")
    model.wait(hours=6)
    assert model.run_number == 2
    started = model.status.decisions[-1]
    assert (started.decision, started.run) == ("RunStarted", 2)
    assert "no run for it where the loss of those labels is" in str(started.otherwise)
