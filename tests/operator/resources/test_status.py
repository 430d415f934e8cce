"""The apply body of a status, as the API server can merge it."""

from typing import Any

from mlmodel_contract.manifest import Window
from mlmodel_operator.resources.version import model_status

from tests.operator.support.manifests import packaged, records
from tests.operator.support.model_lifecycle import ModelLifecycle


def empty_maps(value: Any, path: str = "status") -> list[str]:
    """The paths of maps that have nothing."""
    if isinstance(value, dict):
        return [path] if not value else [found for name, item in value.items() for found in empty_maps(item, f"{path}.{name}")]
    return [found for item in value for found in empty_maps(item, path)] if isinstance(value, list) else []


def test_no_map_is_applied_empty() -> None:
    """A map that had entries and is applied empty becomes null, which the API server refuses for ever."""
    model = ModelLifecycle()
    bare = [record.replace(recipe=record.recipe.replace(parameters={}, window=Window.ALL)) for record in records()[:1]]
    model.go_live(packaged(competing=bare, made_by=bare[0].recipe))
    model.annotate(retrain="now")
    assert model.status.run is not None
    assert model.status.run.competition is not None
    assert model.status.run.competition.leader == bare[0].recipe
    body = model_status(model.snapshot().model, model.status)
    assert body["status"]["run"]["competition"]["leader"]["candidate"] == bare[0].recipe.candidate
    assert empty_maps(body["status"]) == []
