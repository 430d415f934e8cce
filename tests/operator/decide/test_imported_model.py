"""A model that was trained elsewhere."""

from mlmodel_contract.run import Stage
from mlmodel_operator.cluster.kinds import JOB

from tests.operator.support.manifests import DIGEST, imported, verified
from tests.operator.support.players import Live
from tests.operator.support.story import Story


def test_it_is_verified_and_goes_live_by_the_figures_that_it_brings() -> None:
    story = Story(imported())
    story.settle()
    assert story.world.names(JOB) == ["late-r1-verify"]
    story.ends(Stage.VERIFY, verified(roc_auc=0.75))
    story.ready("late-v1")

    assert story.live == story.traffic == "late-v1"
    assert story.version(1).artifact.uri == "s3://elsewhere/bundle"
    assert story.version(1).data is None
    assert story.condition("DataValid").reason == "NotTrainedHere"
    assert story.condition("RetrainingPaused").reason == "NotTrainedHere"


def test_a_bundle_that_misses_a_criterion_or_its_digest_is_refused() -> None:
    for result, reason in [
        (verified(roc_auc=0.6), "CriterionMissed"),
        (verified(), "CriterionMissed"),
        (verified("DigestDiffers"), "NotVerified"),
    ]:
        story = Story(imported())
        story.settle()
        story.ends(Stage.VERIFY, result)
        assert story.run_state == "Rejected"
        assert story.version(1).decision.reason == reason


def test_drift_is_watched_and_starts_nothing() -> None:
    story = Story(imported())
    story.settle()
    story.ends(Stage.VERIFY, verified(roc_auc=0.75))
    story.ready("late-v1")
    story.wait(days=1)
    story.reports("late-v1", Live(rows=2000, shifted=True, labels=1500, loss=2.0))
    assert story.status.drift is not None
    assert story.status.drift.state == "Confirmed"
    assert story.run_number == 1


def test_another_bundle_is_another_version() -> None:
    story = Story(imported())
    story.settle()
    story.ends(Stage.VERIFY, verified(roc_auc=0.75))
    story.ready("late-v1")
    story.edit(model={"uri": "s3://elsewhere/newer", "digest": DIGEST.replace("ab", "cd")})
    story.ends(Stage.VERIFY, verified(roc_auc=0.72))
    story.ready("late-v2")
    assert story.live == "late-v2"
    assert story.version(2).artifact.uri == "s3://elsewhere/newer"
