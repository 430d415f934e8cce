from pathlib import Path
from typing import Any

import pytest
import yaml
from mlmodel_contract.environment import API_VERSION, GROUP
from mlmodel_contract.manifest import MLModelSpec

from demo import manifests
from demo.manifests import Keys
from demo.scenario import FULL, ROOT
from devtools import flights

IMAGES = {"versitygw": "local/versitygw:1", "model-server": "local/model-server:1"}
EXAMPLES = sorted((ROOT / "examples").glob("*/*.yaml"))


def documents(path: Path) -> list[dict[str, Any]]:
    return [document for document in yaml.safe_load_all(path.read_text()) if document]


def pods(documents: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [document["spec"]["template"]["spec"] for document in documents if "template" in document.get("spec", {})]


@pytest.mark.parametrize("path", EXAMPLES, ids=[f"{path.parent.name}/{path.name}" for path in EXAMPLES])
def test_example_models_keep_the_contract_and_pods_the_restricted_standard(path: Path) -> None:
    for document in documents(path):
        if document["kind"] == "MLModel":
            assert document["apiVersion"] == f"{GROUP}/{API_VERSION}"
            MLModelSpec.model_validate(document["spec"])
    for pod in pods(documents(path)):
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in pod["containers"]:
            assert container["securityContext"]["allowPrivilegeEscalation"] is False
            assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}


def test_columns_of_the_manifest_are_those_of_the_rows() -> None:
    data = MLModelSpec.model_validate(manifests.model()[0]["spec"]).data
    assert data is not None
    assert [column.name for column in data.features] == flights.FEATURES
    assert (data.time, data.target) == (flights.TIME, flights.TARGET)


def test_model_is_applied_as_it_is_in_the_file() -> None:
    assert manifests.model() == documents(ROOT / "examples" / "flights" / "mlmodel.yaml")


def test_replay_gets_its_image_its_pace_and_its_script() -> None:
    script, job = manifests.replay(IMAGES, FULL)
    container = job["spec"]["template"]["spec"]["containers"][0]
    assert container["image"] == IMAGES["model-server"]
    assert {"name": "SECONDS_PER_DAY", "value": f"{FULL.seconds_per_day:g}"} in container["env"]
    assert "class Replay" in script["data"]["replay.py"]


def test_keys_of_the_storage_are_new_each_time() -> None:
    first, second = (manifests.storage(IMAGES, Keys.new())[0]["stringData"] for _ in range(2))
    assert first["AWS_SECRET_ACCESS_KEY"] != second["AWS_SECRET_ACCESS_KEY"]
    assert "change-me" not in first.values()
