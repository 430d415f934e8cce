"""The model's pod is replaced again and again under a steady load, over kept connections, new ones, and gRPC: no request fails."""

import json
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from tests.lengths import length
from tests.node import manifests
from tests.node.team import Team

TIMES = length(3, 10)
CLIENT = "asks-on"
_SECONDS = 1_200


@pytest.fixture
def client(team: Team, steady: str) -> Iterator[str]:
    env = {"MODEL": steady, "HOST": f"{steady}.{team.kubectl.namespace}", "SECONDS": str(_SECONDS)}
    team.apply(manifests.script_pod(CLIENT, team.server_image, manifests.script("openloop"), env=env))
    try:
        team.kubectl("wait", "--for=condition=Ready", f"pod/{CLIENT}", "--timeout=60s")
        yield CLIENT
    finally:
        team.kubectl("delete", "pod", CLIENT, "--ignore-not-found", "--grace-period=1")


def test_no_request_fails_while_the_pod_is_replaced(team: Team, steady: str, client: str) -> None:
    version = f"{steady}-v1"
    team.wait(lambda: _answered(team, client) >= 10, "each way of asking works")
    for _ in range(TIMES):
        before = _pods(team, steady)
        team.kubectl("rollout", "restart", f"deployment/{version}")
        team.kubectl("rollout", "status", f"deployment/{version}", "--timeout=120s")
        team.wait(partial(_gone, team, steady, before), "its pod is gone")
    answered = _answered(team, client)
    team.wait(lambda: _answered(team, client) > answered + 20, "each way of asking goes on")
    for way, counts in _counts(team, client).items():
        assert counts.get("failed", 0) == 0, (way, counts)


def _pods(team: Team, model: str) -> set[str]:
    return {pod["metadata"]["name"] for pod in team.pods(model, version=f"{model}-v1")}


def _gone(team: Team, model: str, pods: set[str]) -> bool:
    return not pods & _pods(team, model)


def _answered(team: Team, pod: str) -> int:
    """The fewest requests that any way of asking had answered."""
    return min((counts.get("answered", 0) for counts in _counts(team, pod).values()), default=0)


def _counts(team: Team, pod: str) -> dict[str, Any]:
    said = team.kubectl("logs", pod, "--tail=1").strip()
    return dict(json.loads(said)) if said else {}
