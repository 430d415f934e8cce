"""What the pods report is counted once, whatever happens to pods, reports and the operator."""

from mlmodel_contract.report import PREDICTION
from mlmodel_operator.cluster.cache import Ref
from mlmodel_operator.cluster.kinds import MODEL_VERSION, MONITOR_REPORT, POD

from tests.operator.support.players import Live
from tests.operator.support.story import Story


def rows(story: Story) -> int:
    assert story.status.drift is not None
    return story.status.drift.rows


def test_reports_of_all_pods_are_added_and_each_row_is_counted_once() -> None:
    story = Story()
    story.go_live()
    story.reports("late-v1", Live(100), pod="late-v1-0", sequence=1)
    story.reports("late-v1", Live(300), pod="late-v1-1", sequence=1)
    assert rows(story) == 400
    story.reports("late-v1", Live(150), pod="late-v1-0", sequence=2)
    story.restart()
    story.settle()
    assert rows(story) == 450


def test_a_report_that_goes_backwards_changes_nothing_and_is_told() -> None:
    story = Story()
    story.go_live()
    story.reports("late-v1", Live(100), sequence=5)
    decision = story.reports("late-v1", Live(900), sequence=4)
    assert rows(story) == 100
    assert sum(decision.refused_reports.values()) == 1


def test_what_a_pod_that_is_gone_has_seen_stays_counted_and_its_report_goes() -> None:
    story = Story()
    story.go_live()
    story.reports("late-v1", Live(100))
    story.world.remove(POD, "late-v1-0")
    story.wait(seconds=10)
    assert story.world.names(MONITOR_REPORT) == ["late-v1-0"], "the pod may only not be seen yet"
    story.wait(minutes=6)
    assert story.world.names(MONITOR_REPORT) == ["late-v1-0"], "a calm pod reports only each heartbeat, here 5 minutes"
    story.wait(minutes=6)
    assert story.world.names(MONITOR_REPORT) == []
    assert rows(story) == 100
    story.reports("late-v1", Live(70), pod="late-v1-9")
    assert rows(story) == 170


def test_a_lagging_view_of_pods_does_not_make_rows_count_twice() -> None:
    story = Story()
    story.go_live()
    story.cache.drop(POD, story.world.objects[Ref(POD, "late-v1-0")])
    for sequence in range(1, 20):
        story.now = story.now.replace(minute=sequence)
        story.reports("late-v1", Live(100 * sequence), sequence=sequence)
    assert rows(story) == 1900
    assert story.world.names(MONITOR_REPORT) == ["late-v1-0"]


def test_a_report_nobody_can_read_is_counted_as_such_and_harms_nothing() -> None:
    story = Story()
    story.go_live()
    story.reports("late-v1", Live(100))
    story.world.change(MONITOR_REPORT, "late-v1-0", lambda body: body["spec"].update(rows="many"))
    decision = story.settle()
    assert decision.refused_reports == {"Unreadable": 1}
    assert rows(story) == 100


def test_evidence_that_somebody_damaged_is_begun_anew() -> None:
    story = Story()
    story.go_live()
    story.reports("late-v1", Live(100))
    story.world.change(MODEL_VERSION, "late-v1", lambda body: body["status"].update(evidence="garbage"))
    story.settle()
    assert rows(story) == 100


def test_a_version_keeps_its_evidence_for_a_rollback() -> None:
    story = Story()
    story.go_live()
    story.reports("late-v1", Live(2000, shifted=True))
    story.annotate(retrain="now")
    story.run_through()
    story.ready("late-v2")
    assert story.status.live is not None
    assert story.status.drift is None or story.status.drift.rows == 0
    story.annotate(rollback_to="late-v1")
    assert rows(story) == 2000
    assert story.status.drift is not None
    assert PREDICTION not in {feature.name for feature in story.status.drift.features}
