"""A real Prometheus scrapes operator, servers and sidecars, and evaluates the chart's alerts on what it finds.

It reaches the pods by the API server's proxy, for a cluster's pods have no addresses that are good everywhere.
"""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from devtools import prometheus
from devtools.cluster.kubectl import Kubectl
from devtools.prometheus import Prometheus
from tests.node.support import release
from tests.node.support.release import CHART, Release
from tests.node.support.team import Team

RULES = CHART / "files" / "rules.yaml"
OPERATOR, SERVER, MONITOR = 8080, 8082, 8083
UNTRUE = {
    "MLModelDriftHarmful",
    "MLModelHarmful",
    "MLModelHarmUnknown",
    "MLModelFeedBroken",
    "MLModelNotReady",
    "MLModelNeverServed",
    "MLModelCriterionMissed",
    "MLModelReportsRefused",
    "MLModelStoreFailing",
}
"""Alerts that no test gives a reason for. (That its data is invalid is true after another test.)"""


@pytest.fixture
def proxy(team: Team) -> Iterator[str]:
    """The address of a `kubectl proxy`, which has its user's rights."""
    with subprocess.Popen(team.kubectl.command("proxy", "--port=0"), stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            found = re.search(r"127\.0\.0\.1:\d+", process.stdout.readline())
            assert found, "kubectl proxy says where it serves"
            yield found[0]
        finally:
            process.terminate()


@pytest.fixture
def scraping(team: Team, steady: str, proxy: str, tmp_path: Path) -> Iterator[Prometheus]:
    """A Prometheus of the operator's pods and of those of the model."""
    system = team.kubectl.within(release.NAMESPACE)
    operators = [f"app.kubernetes.io/instance={release.NAME}", "app.kubernetes.io/component=operator"]
    models = [f"mlmodel.dev/model={steady}", "app.kubernetes.io/component=model-server"]
    targets = [_target(proxy, pod, OPERATOR) for pod in _pods(system, operators)]
    targets += [_target(proxy, pod, port) for pod in _pods(team.kubectl, models) for port in (SERVER, MONITOR)]
    job = {"job_name": "mlmodel", "honor_labels": True, "static_configs": targets}
    server = prometheus.start(tmp_path, [job], RULES)
    try:
        yield server
    finally:
        server.stop()


def test_metrics_of_all_parts_arrive_and_nothing_cries_wolf_over_a_model_that_serves_well(
    team: Team, steady: str, installed: Release, scraping: Prometheus
) -> None:
    del installed
    model = f'namespace="{team.kubectl.namespace}",name="{steady}"'
    team.wait(lambda: _all(scraping.targets(), "up"), "all targets are scraped", 60)
    team.wait(lambda: _value(scraping, f"mlmodel_ready{{{model}}}") == 1, "the operator exposes that the model is ready", 60)
    before = _value(scraping, f"sum(mlmodel_server_rows_total{{{model}}})")
    team.predict(steady)
    team.wait(lambda: _value(scraping, f"sum(mlmodel_server_rows_total{{{model}}})") >= before + 2, "two more rows were served", 60)
    team.wait(lambda: _value(scraping, f"sum(mlmodel_monitor_rows_total{{{model}}})") >= 2, "a sidecar counted them", 60)
    team.wait(lambda: _all(scraping.rules(), "ok"), "all alerts were evaluated", 60)
    alerts = {
        alert["labels"]["alertname"] for rule in scraping.rules() for alert in rule["alerts"] if alert["labels"].get("name") == steady
    }
    assert alerts & UNTRUE == set()


def _pods(kubectl: Kubectl, selector: list[str]) -> list[dict[str, Any]]:
    found = kubectl.json("get", "pods", f"--selector={','.join(selector)}", "--field-selector=status.phase=Running")["items"]
    assert found, f"there are pods of {selector}"
    return [pod["metadata"] for pod in found]


def _target(proxy: str, pod: dict[str, Any], port: int) -> dict[str, Any]:
    path = f"/api/v1/namespaces/{pod['namespace']}/pods/{pod['name']}:{port}/proxy/metrics"
    return {"targets": [proxy], "labels": {"__metrics_path__": path, "instance": f"{pod['name']}:{port}"}}


def _all(found: list[dict[str, Any]], health: str) -> bool:
    """Return whether there are some, and all are of this health; right after the start there are none."""
    return bool(found) and all(one["health"] == health for one in found)


def _value(server: Prometheus, expression: str) -> float:
    found = server.query(expression)
    return found[0][1] if found else 0.0
