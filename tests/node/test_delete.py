"""A model is deleted in the middle of a run: everything that it owned goes with it, and nothing else."""

from collections.abc import Iterator

import pytest

from devtools.cluster.kubectl import items
from tests.node.support import manifests
from tests.node.support.team import Team

LEAVING = "leaving"
_TRANSIENT = {"events", "events.events.k8s.io", "endpoints", "pods.metrics.k8s.io"}


@pytest.fixture
def leaving(team: Team) -> Iterator[str]:
    """A model with a live version and a second run under way, in which its trials are fitted."""
    team.apply(manifests.model(LEAVING))
    team.wait_live(LEAVING)
    team.annotate(LEAVING, retrain="to be in a run")
    team.wait(lambda: team.jobs(LEAVING, run="2", stage="Train"), "the second run's trial starts")
    yield LEAVING
    team.delete_models([LEAVING])


def test_everything_it_owned_goes_and_nothing_else(team: Team, steady: str, leaving: str) -> None:
    before = _uids(team)
    owned = {name for name in before if _belongs_to(leaving, name)}
    for kind in ("Job", "Pod", "Deployment", "Service", "PersistentVolumeClaim", "ModelVersion", "MonitorReport", "Secret"):
        assert [name for name in owned if name.startswith(f"{kind}/")], f"{leaving} owns no {kind}"
    team.kubectl("delete", "mlmodel", leaving)
    team.wait(lambda: not [name for name in _uids(team) if _belongs_to(leaving, name)], f"everything of {leaving} is gone")
    after = _uids(team)
    neighbours = {name: uid for name, uid in before.items() if _belongs_to(steady, name)}
    assert neighbours.items() <= after.items()
    assert team.predict(steady)["model_version"] == f"{steady}-v1"


def _belongs_to(model: str, name: str) -> bool:
    own = name.partition("/")[2]
    return own == model or own.startswith(f"{model}-")


def _uids(team: Team) -> dict[str, str]:
    """Every object of the namespace, whatever its kind: uid by kind/name."""
    kinds = set(team.kubectl("api-resources", "--namespaced", "--verbs=list", "-o", "name").split()) - _TRANSIENT
    found = items(team.kubectl.json("get", ",".join(sorted(kinds))))
    return {f"{one['kind']}/{one['metadata']['name']}": one["metadata"]["uid"] for one in found}
