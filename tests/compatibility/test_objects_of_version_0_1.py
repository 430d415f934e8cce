"""What the operator of version 0.1 left in the cluster is read as it was: its model serves on and is not trained anew for it.

``version_0_1/objects.json`` was written by the operator of commit 2cf2267 on its API server in memory: a live version, one that was
refused as not better, and a run that counts as rejected.
"""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from mlmodel_contract.run import Stage
from mlmodel_contract.version import ModelVersionSpec
from mlmodel_operator.cluster.cache import Ref
from mlmodel_operator.cluster.kinds import ML_MODEL, MODEL_VERSION

from tests.operator.support.manifests import Body, packaged, records
from tests.operator.support.model_lifecycle import ModelLifecycle

ROOT = Path(__file__).parents[2]
OBJECTS: list[Body] = json.loads((Path(__file__).parent / "version_0_1/objects.json").read_text())
DEFINITIONS = {
    definition["spec"]["names"]["kind"]: definition for definition in map(yaml.safe_load, map(Path.read_text, ROOT.glob("crds/*")))
}


def pruned(value: Any, schema: Body) -> Any:
    """Leave out what the CRD has no more, as the API server does on each read."""
    if isinstance(value, list):
        return [pruned(item, schema.get("items", {})) for item in value]
    if not isinstance(value, dict) or "properties" not in schema:
        return value
    return {name: pruned(part, schema["properties"][name]) for name, part in value.items() if name in schema["properties"]}


def as_read(body: Body) -> Body:
    schema = DEFINITIONS[body["kind"]]["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    parts = {name: pruned(body[name], schema["properties"][name]) for name in ("spec", "status") if name in body}
    return body | parts


@pytest.fixture
def model() -> ModelLifecycle:
    """The model of version 0.1 under the operator of today."""
    made = ModelLifecycle()
    made.api.remove(ML_MODEL, "late")
    uids: dict[str, str] = {}
    for body in map(as_read, OBJECTS):
        owners = [owner | {"uid": uids["late"]} for owner in body["metadata"].get("ownerReferences", [])]
        stored = made.api.put(body | {"metadata": body["metadata"] | ({"ownerReferences": owners} if owners else {})})
        uids[stored["metadata"]["name"]] = stored["metadata"]["uid"]
    made.settle()
    made.ready("late-v1")
    return made


def test_it_serves_on_and_is_not_trained_anew(model: ModelLifecycle) -> None:
    assert model.live == model.traffic == "late-v1"
    assert (model.run_number, model.run_state) == (2, "Rejected")
    assert model.condition("RetrainingPaused").reason != "GaveUp"
    model.wait(days=30)
    assert model.run_number == 2, "the digest of its spec is what it was"


def test_its_live_version_is_compared_with_by_a_run_that_draws_its_recipes_as_a_first_one_does(model: ModelLifecycle) -> None:
    model.annotate(retrain="again")
    assert model.status.run is not None
    assert (model.status.run.champion, model.status.run.competition) == ("late-v1", None)
    model.run_through(packaged(3, against="late-v1", competing=records()))
    model.ready("late-v3")
    model.annotate(retrain="and again")
    assert [version.version for version in model.competition.versions] == ["late-v1"]
    model.ends(Stage.PREPARE)
    assert model.run_state == "Running"


def test_its_versions_are_read_with_nothing_known_of_what_is_new() -> None:
    versions = [ModelVersionSpec.model_validate(body["spec"]) for body in OBJECTS if body["kind"] == MODEL_VERSION.name]
    assert [version.decision.reason for version in versions] == ["CriteriaMet", "NotBetter"]
    assert all((version.window, version.baseline, version.worth, version.fits) == (None, None, None, 0) for version in versions)
    assert versions[1].comparison is not None
    assert not versions[1].comparison.same_recipe


def test_what_it_counted_as_rejected_is_left_out(model: ModelLifecycle) -> None:
    written = next(body for body in OBJECTS if body["kind"] == ML_MODEL.name)
    assert written["status"]["retraining"]["rejectedInARow"] == 1
    assert "rejectedInARow" not in model.api.objects[Ref(ML_MODEL, "late")]["status"]["retraining"]
    assert model.status.retraining.failed_in_a_row == 0
