"""What the pods report is counted once, whatever happens to pods, reports and the operator."""

from mlmodel_contract.report import PREDICTION
from mlmodel_operator.cluster.cache import Ref
from mlmodel_operator.cluster.kinds import MODEL_VERSION, MONITOR_REPORT, POD

from tests.operator.support.fake_controllers import LiveRows
from tests.operator.support.model_lifecycle import ModelLifecycle


def rows(model: ModelLifecycle) -> int:
    assert model.status.drift is not None
    return model.status.drift.rows


def test_reports_of_all_pods_are_added_and_each_row_is_counted_once() -> None:
    model = ModelLifecycle()
    model.go_live()
    model.reports("late-v1", LiveRows(100), pod="late-v1-0", sequence=1)
    model.reports("late-v1", LiveRows(300), pod="late-v1-1", sequence=1)
    assert rows(model) == 400
    model.reports("late-v1", LiveRows(150), pod="late-v1-0", sequence=2)
    model.restart()
    model.settle()
    assert rows(model) == 450


def test_a_report_that_goes_backwards_changes_nothing_and_is_reported() -> None:
    model = ModelLifecycle()
    model.go_live()
    model.reports("late-v1", LiveRows(100), sequence=5)
    decision = model.reports("late-v1", LiveRows(900), sequence=4)
    assert rows(model) == 100
    assert sum(decision.refused_reports.values()) == 1


def test_what_a_pod_that_is_gone_has_seen_stays_counted_and_its_report_goes() -> None:
    model = ModelLifecycle()
    model.go_live()
    model.reports("late-v1", LiveRows(100))
    model.api.remove(POD, "late-v1-0")
    model.wait(seconds=10)
    assert model.api.names(MONITOR_REPORT) == ["late-v1-0"], "the pod may only not be in the cache yet"
    model.wait(minutes=6)
    assert model.api.names(MONITOR_REPORT) == ["late-v1-0"], "a calm pod reports only each heartbeat, here 5 minutes"
    model.wait(minutes=6)
    assert model.api.names(MONITOR_REPORT) == []
    assert rows(model) == 100
    model.reports("late-v1", LiveRows(70), pod="late-v1-9")
    assert rows(model) == 170


def test_a_lagging_view_of_pods_does_not_make_rows_count_twice() -> None:
    model = ModelLifecycle()
    model.go_live()
    model.cache.drop(POD, model.api.objects[Ref(POD, "late-v1-0")])
    for sequence in range(1, 20):
        model.now = model.now.replace(minute=sequence)
        model.reports("late-v1", LiveRows(100 * sequence), sequence=sequence)
    assert rows(model) == 1900
    assert model.api.names(MONITOR_REPORT) == ["late-v1-0"]


def test_a_report_nobody_can_read_is_counted_as_such_and_harms_nothing() -> None:
    model = ModelLifecycle()
    model.go_live()
    model.reports("late-v1", LiveRows(100))
    model.api.change(MONITOR_REPORT, "late-v1-0", lambda body: body["spec"].update(rows="many"))
    decision = model.settle()
    assert decision.refused_reports == {"Unreadable": 1}
    assert rows(model) == 100


def test_evidence_that_somebody_damaged_is_begun_anew() -> None:
    model = ModelLifecycle()
    model.go_live()
    model.reports("late-v1", LiveRows(100))
    model.api.change(MODEL_VERSION, "late-v1", lambda body: body["status"].update(evidence="garbage"))
    model.settle()
    assert rows(model) == 100


def test_a_version_keeps_its_evidence_for_a_rollback() -> None:
    model = ModelLifecycle()
    model.go_live()
    model.reports("late-v1", LiveRows(2000, shifted=True))
    model.annotate(retrain="now")
    model.run_through()
    model.ready("late-v2")
    assert model.status.live is not None
    assert model.status.drift is None or model.status.drift.rows == 0
    model.annotate(rollback_to="late-v1")
    assert rows(model) == 2000
    assert model.status.drift is not None
    assert PREDICTION not in {feature.name for feature in model.status.drift.features}
