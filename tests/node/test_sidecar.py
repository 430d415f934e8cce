"""The monitor of a pod is killed: serving does not notice, and the counts say what was missed and go on."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from tests.node.support.team import Team
from tests.node.support.traffic import FAST, Traffic, traffic

SETTLED_SECONDS = 25
KILL = """
import os, pathlib
for process in pathlib.Path("/proc").glob("[0-9]*"):
    if int(process.name) not in (1, os.getpid()):
        os.kill(int(process.name), 9)
"""
"""Kills everything in the container but its first process, which the kernel protects from those inside."""


@pytest.fixture
def client(team: Team, steady: str) -> Iterator[Traffic]:
    with traffic(team, steady) as client:
        yield client


def test_serving_goes_on_and_the_report_says_what_was_missed(team: Team, steady: str, client: Traffic) -> None:
    pod = team.pods(steady, version=f"{steady}-v1")[0]["metadata"]["name"]
    client.behave(**FAST)
    team.wait(lambda: team.counted_rows(pod).get("counted", 0) > 500, "rows are counted")
    team.wait(lambda: _age(team, pod) > SETTLED_SECONDS, "the monitor lives so long that it is not given up")
    before = team.counted_rows(pod)
    team.kubectl("exec", pod, "-c", "monitor", "--", "python3", "-c", KILL)
    team.wait(lambda: team.counted_rows(pod)["missed"] > before["missed"], "the report says what was missed")
    after = team.counted_rows(pod)
    assert after["served"] == after["counted"] + after["missed"]
    team.wait(lambda: team.counted_rows(pod)["counted"] > after["counted"], "the counts go on")
    labels = client.counts().labels
    team.wait(lambda: client.counts().labels > labels, "labels are accepted again")
    team.wait(lambda: team.status(steady)["drift"]["missed"] >= after["missed"], "the model's status says it, too")
    counts = client.counts()
    assert counts.failed == 0, counts.errors
    assert _age(team, pod) > SETTLED_SECONDS


def _age(team: Team, pod: str) -> float:
    """Seconds since the monitor's container was started; it must never have been restarted, for its pod would not be ready meanwhile."""
    statuses = team.kubectl.json("get", "pod", pod)["status"]["initContainerStatuses"]
    monitor = next(status for status in statuses if status["name"] == "monitor")
    assert monitor["restartCount"] == 0
    return (datetime.now(UTC) - datetime.fromisoformat(monitor["state"]["running"]["startedAt"])).total_seconds()
