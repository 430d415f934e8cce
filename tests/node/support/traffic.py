"""A pod that asks a model steadily, as an application does: how it behaves, and what it counted. The asking is in_pods/traffic.py."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.node.support import manifests
from tests.node.support.team import Team

SLOW = {"rows": 10, "pause": 0.25}
FAST = {"rows": 50, "pause": 0.15}


@dataclass(frozen=True)
class Counts:
    """All that happened so far; `versions`: rows that each version answered."""

    requests: int
    failed: int
    labels: int
    labels_failed: int
    versions: dict[str, int]
    errors: list[str]


@dataclass(frozen=True)
class Traffic:
    """The pod of that name, and the model that it asks."""

    team: Team
    pod: str
    model: str

    def counts(self) -> Counts:
        """What it counted; nothing yet where it has not said anything."""
        said = self.team.kubectl("logs", self.pod, "--tail=1").strip()
        return Counts(**json.loads(said)) if said else Counts(0, 0, 0, 0, {}, [])

    def behave(self, **behaviour: Any) -> None:
        """Change how it behaves: rows, pause, shift, slide, contrary, missing."""
        self.team.kubectl("exec", "-i", self.pod, "--", "tee", "/tmp/behaviour.json", input=json.dumps(behaviour))

    def unlabelled(self, version: str) -> str:
        """A prediction id of the version that has no label yet."""
        return self.team.kubectl("exec", self.pod, "--", "cat", f"/tmp/ids/{version}").strip()

    def wait_requests(self, more: int) -> Counts:
        """Wait for so many more requests; return the counts."""
        until = self.counts().requests + more
        self.team.wait(lambda: self.counts().requests >= until, f"{self.pod} sent {more} more requests")
        return self.counts()


@contextmanager
def traffic(team: Team, model: str) -> Iterator[Traffic]:
    """Ask the model while the block runs."""
    name = f"asks-{model}"
    env = {"URL": f"http://{model}/v2/models/{model}"}
    team.apply(manifests.script_pod(name, team.server_image, manifests.script("traffic"), env=env))
    client = Traffic(team, name, model)
    try:
        team.kubectl("wait", "--for=condition=Ready", f"pod/{name}", "--timeout=60s")
        client.behave(**SLOW)
        team.wait(lambda: client.counts().requests, f"{name} sent a request")
        yield client
    finally:
        team.kubectl("delete", "pod", name, "--ignore-not-found")
