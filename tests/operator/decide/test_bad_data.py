"""Data that fails its checks is never learnt from."""

from datetime import timedelta

from mlmodel_contract.run import Stage
from mlmodel_operator.cluster.kinds import JOB
from mlmodel_operator.decide.desired_state import moment

from tests.operator.support.manifests import prepared, spec
from tests.operator.support.story import Story

PATIENT = spec(retraining={"cooldown": "1h", "giveUpAfter": 10})


def test_nothing_is_trained_and_the_condition_says_why() -> None:
    story = Story()
    story.settle()
    story.ends(Stage.PREPARE, prepared("MissingColumn", "OutOfRange"))

    assert story.run_state == "DataInvalid"
    assert story.world.names(JOB) == ["late-r1-prepare"]
    data = story.condition("DataValid")
    assert (data.status, data.reason) == ("False", "DataInvalid")
    assert "MissingColumn: look at data.sources" in data.message
    assert "OutOfRange: look at data.sources" in data.message
    assert story.condition("Ready").reason == "DataInvalid"
    assert story.decisions == ["RunStarted", "DataInvalid"]


def test_it_is_tried_again_with_growing_pauses_while_nothing_is_live() -> None:
    story = Story(PATIENT)
    story.settle()
    pauses = []
    for number in range(1, 5):
        assert story.run_number == number
        decision = story.ends(Stage.PREPARE, prepared("SourceMissing"))
        assert decision.look_again is not None
        not_before = story.status.retraining.not_before
        assert not_before is not None
        pauses.append((moment(not_before) - story.now).total_seconds())
        story.wait(seconds=decision.look_again - 1)
        assert story.run_number == number
        story.wait(seconds=1)
    assert pauses == [30, 60, 120, 240]
    assert story.status.run is not None
    assert story.status.run.reason == "Retry"


def test_good_data_ends_the_trouble() -> None:
    story = Story(PATIENT)
    story.settle()
    story.ends(Stage.PREPARE, prepared("SourceMissing"))
    story.wait(seconds=30)
    story.ends(Stage.PREPARE)
    assert story.condition("DataValid").status == "True"
    story.ends(Stage.TRAIN)
    story.ends(Stage.PACKAGE)
    story.ends(Stage.VERIFY)
    story.ready("late-v2")
    assert story.live == "late-v2"
    assert story.status.retraining.rejected_in_a_row == 0


def test_the_live_version_is_untouched() -> None:
    story = Story()
    story.go_live()
    story.annotate(retrain="now")
    before = dict(story.world.writes)
    story.ends(Stage.PREPARE, prepared("WrongType"))

    assert (story.live, story.traffic) == ("late-v1", "late-v1")
    assert story.condition("Ready").status == "True"
    assert story.condition("DataValid").status == "False"
    changed = {what for what in story.world.writes if story.world.writes[what] != before.get(what, 0)}
    assert changed == {"apply MLModel/status late", "emit DataInvalid"}


def test_a_run_under_a_live_version_waits_for_the_cooldown() -> None:
    story = Story()
    story.go_live()
    story.annotate(retrain="now")
    story.ends(Stage.PREPARE, prepared("WrongType"))
    assert story.status.retraining.not_before is not None
    assert moment(story.status.retraining.not_before) - story.now == timedelta(hours=1)
    assert story.condition("RetrainingPaused").reason == "CoolingDown"
