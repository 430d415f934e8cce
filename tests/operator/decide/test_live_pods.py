"""What restarts the pods of the live version: only what concerns serving and watching it."""

from typing import Any

import pytest
from mlmodel_operator.cluster.cache import Ref
from mlmodel_operator.cluster.kinds import DEPLOYMENT

from tests.operator.support.manifests import spec
from tests.operator.support.model_lifecycle import ModelLifecycle

DATA = spec()["data"]
COLUMNS = [*DATA["columns"], {"name": "hour", "type": "number"}]


@pytest.mark.parametrize(
    "parts",
    [
        {"data": DATA | {"columns": COLUMNS}},
        {"data": DATA | {"sources": [{"uri": "s3://airline/more/*.parquet"}]}},
        {"objective": {"criteria": [{"metric": "roc_auc", "min": 0.75}]}},
        {"training": {"task": "Classification", "trials": 9}},
        {"retraining": {"cooldown": "9h"}},
        {"serving": {"replicas": 3, "drain": "2m"}},
        {"suspend": True},
    ],
)
def test_they_are_left_alone_by_edits_that_are_for_the_next_version(parts: dict[str, Any]) -> None:
    model = ModelLifecycle()
    model.go_live()
    before = model.api.objects[Ref(DEPLOYMENT, "late-v1")]["spec"]["template"]
    model.edit(**parts)
    assert model.api.objects[Ref(DEPLOYMENT, "late-v1")]["spec"]["template"] == before


@pytest.mark.parametrize(
    "parts",
    [
        {"serving": {"resources": {"limits": {"memory": "2Gi"}}}},
        {"monitoring": {"reportEvery": "10s", "heartbeat": "10s"}},
        {"monitoring": {"labels": {"maxDelay": "1d"}}},
        {"monitoring": {"labels": {"completeAfter": "1d"}}},
        {"monitoring": {"capture": {"fraction": 0.5}}},
    ],
)
def test_they_are_rolled_over_by_edits_that_concern_them(parts: dict[str, Any]) -> None:
    model = ModelLifecycle()
    model.go_live()
    before = model.api.objects[Ref(DEPLOYMENT, "late-v1")]["spec"]["template"]
    model.edit(**parts)
    assert model.api.objects[Ref(DEPLOYMENT, "late-v1")]["spec"]["template"] != before
