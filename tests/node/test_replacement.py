"""The model's pod is replaced again and again under a steady load, over persistent connections, new ones, and gRPC: no request fails."""

from collections.abc import Iterator
from functools import partial

import pytest

from tests.node.support.openloop import OpenLoop, open_loop
from tests.node.support.team import Team
from tests.support.lengths import length

pytestmark = pytest.mark.exhaustive

TIMES = length(3, 10)


@pytest.fixture
def client(team: Team, steady: str) -> Iterator[OpenLoop]:
    with open_loop(team, steady) as client:
        yield client


def test_no_request_fails_while_the_pod_is_replaced(team: Team, steady: str, client: OpenLoop) -> None:
    version = f"{steady}-v1"
    for _ in range(TIMES):
        before = _pods(team, steady)
        team.kubectl("rollout", "restart", f"deployment/{version}")
        team.kubectl("rollout", "status", f"deployment/{version}", "--timeout=120s")
        team.wait(partial(_gone, team, steady, before), "its pod is gone")
    client.wait_answered(20)
    client.assert_none_failed()


def _pods(team: Team, model: str) -> set[str]:
    return {pod["metadata"]["name"] for pod in team.pods(model, version=f"{model}-v1")}


def _gone(team: Team, model: str, pods: set[str]) -> bool:
    return not pods & _pods(team, model)
