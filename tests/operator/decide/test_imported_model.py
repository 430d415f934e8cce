"""A model that was trained elsewhere."""

from mlmodel_contract.run import Stage
from mlmodel_operator.cluster.kinds import JOB

from tests.operator.support.fake_controllers import LiveRows
from tests.operator.support.manifests import DIGEST, KEEP_LIVE, imported, verified
from tests.operator.support.model_lifecycle import ModelLifecycle


def test_it_is_verified_and_goes_live_by_the_figures_that_it_brings() -> None:
    model = ModelLifecycle(imported())
    model.settle()
    assert model.api.names(JOB) == ["late-r1-verify"]
    model.ends(Stage.VERIFY, verified(roc_auc=0.75))
    model.ready("late-v1")

    assert model.live == model.traffic == "late-v1"
    assert model.version(1).artifact.uri == "s3://elsewhere/bundle"
    assert model.version(1).data is None
    assert model.condition("DataValid").reason == "NotTrainedHere"
    assert model.condition("RetrainingPaused").reason == "NotTrainedHere"


def test_a_bundle_that_misses_a_criterion_serves_all_the_same_and_says_so() -> None:
    model = ModelLifecycle(imported())
    model.settle()
    model.ends(Stage.VERIFY, verified(roc_auc=0.6))
    model.ready("late-v1")
    assert (model.live, model.version(1).decision.reason) == ("late-v1", "BestThereIs")
    assert "roc_auc >= 0.7 was asked, the holdout gives 0.6" in model.version(1).decision.message


def test_where_a_manifest_asks_for_it_a_bundle_that_misses_a_criterion_is_refused_as_one_of_another_digest_is() -> None:
    for result, reason in [
        (verified(roc_auc=0.6), "CriterionMissed"),
        (verified(), "CriterionMissed"),
        (verified("DigestDiffers"), "NotVerified"),
    ]:
        model = ModelLifecycle(imported() | {"objective": KEEP_LIVE})
        model.settle()
        model.ends(Stage.VERIFY, result)
        assert model.run_state == "Rejected"
        assert model.version(1).decision.reason == reason


def test_drift_is_watched_and_starts_nothing() -> None:
    model = ModelLifecycle(imported())
    model.settle()
    model.ends(Stage.VERIFY, verified(roc_auc=0.75))
    model.ready("late-v1")
    model.wait(days=1)
    model.reports("late-v1", LiveRows(rows=2000, shifted=True, labels=1500, loss=2.0))
    assert model.status.drift is not None
    assert model.status.drift.state == "Confirmed"
    assert model.run_number == 1


def test_another_bundle_is_another_version() -> None:
    model = ModelLifecycle(imported())
    model.settle()
    model.ends(Stage.VERIFY, verified(roc_auc=0.75))
    model.ready("late-v1")
    model.edit(model={"uri": "s3://elsewhere/newer", "digest": DIGEST.replace("ab", "cd")})
    model.ends(Stage.VERIFY, verified(roc_auc=0.72))
    model.ready("late-v2")
    assert model.live == "late-v2"
    assert model.version(2).artifact.uri == "s3://elsewhere/newer"
