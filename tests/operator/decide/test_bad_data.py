"""Data that fails its checks is never learnt from."""

from datetime import timedelta

from mlmodel_contract.base import parse_time
from mlmodel_contract.run import Stage
from mlmodel_operator.cluster.kinds import JOB

from tests.operator.support.manifests import prepared, spec
from tests.operator.support.model_lifecycle import ModelLifecycle

PATIENT = spec(retraining={"cooldown": "1h", "giveUpAfter": 10})


def test_nothing_is_trained_and_the_condition_says_why() -> None:
    model = ModelLifecycle()
    model.settle()
    model.ends(Stage.PREPARE, prepared("MissingColumn", "OutOfRange"))

    assert model.run_state == "DataInvalid"
    assert model.api.names(JOB) == ["late-r1-prepare"]
    data = model.condition("DataValid")
    assert (data.status, data.reason) == ("False", "DataInvalid")
    assert "MissingColumn: look at data.sources" in data.message
    assert "OutOfRange: look at data.sources" in data.message
    assert model.condition("Ready").reason == "DataInvalid"
    assert model.decisions == ["RunStarted", "DataInvalid"]


def test_it_is_tried_again_with_growing_pauses_while_nothing_is_live() -> None:
    model = ModelLifecycle(PATIENT)
    model.settle()
    pauses = []
    for number in range(1, 5):
        assert model.run_number == number
        decision = model.ends(Stage.PREPARE, prepared("SourceMissing"))
        assert decision.requeue_after is not None
        not_before = model.status.retraining.not_before
        assert not_before is not None
        pauses.append((parse_time(not_before) - model.now).total_seconds())
        model.wait(seconds=decision.requeue_after - 1)
        assert model.run_number == number
        model.wait(seconds=1)
    assert pauses == [30, 60, 120, 240]
    assert model.status.run is not None
    assert model.status.run.reason == "Retry"


def test_good_data_ends_the_trouble() -> None:
    model = ModelLifecycle(PATIENT)
    model.settle()
    model.ends(Stage.PREPARE, prepared("SourceMissing"))
    model.wait(seconds=30)
    model.ends(Stage.PREPARE)
    assert model.condition("DataValid").status == "True"
    model.ends(Stage.TRAIN)
    model.ends(Stage.PACKAGE)
    model.ends(Stage.VERIFY)
    model.ready("late-v2")
    assert model.live == "late-v2"
    assert model.status.retraining.failed_in_a_row == 0


def test_the_live_version_is_untouched() -> None:
    model = ModelLifecycle()
    model.go_live()
    model.annotate(retrain="now")
    before = dict(model.api.writes)
    model.ends(Stage.PREPARE, prepared("WrongType"))

    assert (model.live, model.traffic) == ("late-v1", "late-v1")
    assert model.condition("Ready").status == "True"
    assert model.condition("DataValid").status == "False"
    changed = {what for what in model.api.writes if model.api.writes[what] != before.get(what, 0)}
    assert changed == {"apply MLModel/status late", "emit DataInvalid"}


def test_a_run_under_a_live_version_waits_for_the_cooldown() -> None:
    model = ModelLifecycle()
    model.go_live()
    model.annotate(retrain="now")
    model.ends(Stage.PREPARE, prepared("WrongType"))
    assert model.status.retraining.not_before is not None
    assert parse_time(model.status.retraining.not_before) - model.now == timedelta(hours=1)
    assert model.condition("RetrainingPaused").reason == "CoolingDown"
