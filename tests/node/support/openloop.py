"""A pod that asks a model in all ways at a steady pace, whether or not the answers come. The asking is in_pods/openloop.py."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.node.support import manifests
from tests.node.support.team import Team

_SECONDS = 1_200


@dataclass(frozen=True)
class OpenLoop:
    """The pod of that name."""

    team: Team
    pod: str

    def counts(self) -> dict[str, Any]:
        """What each way of asking counted."""
        said = self.team.kubectl("logs", self.pod, "--tail=1").strip()
        return dict(json.loads(said)) if said else {}

    def answered(self) -> int:
        """The fewest requests that any way of asking had answered."""
        return min((counts.get("answered", 0) for counts in self.counts().values()), default=0)

    def wait_answered(self, more: int) -> None:
        """Wait until each way of asking had so many more answers."""
        until = self.answered() + more
        self.team.wait(lambda: self.answered() >= until, f"each way of asking had {more} more answers")

    def assert_none_failed(self) -> None:
        """No request may have failed, in whichever way it was sent."""
        for way, counts in self.counts().items():
            assert counts.get("failed", 0) == 0, (way, counts)


@contextmanager
def open_loop(team: Team, model: str, **credentials: str) -> Iterator[OpenLoop]:
    """Ask the model while the block runs; `credentials` are `TRUSTED` and `KEY` of in_pods/openloop.py."""
    name = f"asks-{model}-on"
    env = {"MODEL": model, "HOST": f"{model}.{team.kubectl.namespace}", "SECONDS": str(_SECONDS), **credentials}
    team.apply(manifests.script_pod(name, team.server_image, manifests.script("openloop"), env=env))
    client = OpenLoop(team, name)
    try:
        team.kubectl("wait", "--for=condition=Ready", f"pod/{name}", "--timeout=60s")
        client.wait_answered(10)
        yield client
    finally:
        team.kubectl("delete", "pod", name, "--ignore-not-found", "--grace-period=1")
