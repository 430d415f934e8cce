"""A real Prometheus that scrapes what its configuration names, for tests of metrics and alerts as their users have them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from devtools import processes, programs
from devtools.ports import free_ports
from devtools.processes import Component
from devtools.waiting import wait_until


@dataclass(frozen=True)
class Prometheus:
    """A server that was started; `address` is a URL such as http://127.0.0.1:1234."""

    folder: Path
    address: str

    def query(self, expression: str) -> list[tuple[dict[str, str], float]]:
        """Return the labels and the value of each series that the expression has now."""
        found = self._get("query", query=expression)["result"]
        return [(series["metric"], float(series["value"][1])) for series in found]

    def targets(self) -> list[dict[str, Any]]:
        """Return what is scraped, each with its health and last error."""
        return list(self._get("targets")["activeTargets"])

    def rules(self) -> list[dict[str, Any]]:
        """Return the rules of all groups, each with its health and, once it was evaluated, its alerts."""
        return [rule for group in self._get("rules")["groups"] for rule in group["rules"]]

    def _get(self, what: str, **parameters: str) -> Any:
        answer = httpx.get(f"{self.address}/api/v1/{what}", params=parameters, timeout=10, trust_env=False)
        return answer.raise_for_status().json()["data"]

    def stop(self) -> None:
        """End the server; its folder stays."""
        for running in processes.find(self.folder):
            processes.stop(self.folder, running)


def start(folder: Path, jobs: Sequence[Mapping[str, Any]], rules: Path, every: str = "1s") -> Prometheus:
    """Start a server with these scrape jobs and rules that ends with this process. Raises `DevtoolsError`."""
    timing = {"scrape_interval": every, "scrape_timeout": every, "evaluation_interval": every}
    configuration = folder / "prometheus.json"
    configuration.write_text(json.dumps({"global": timing, "rule_files": [str(rules)], "scrape_configs": list(jobs)}))
    port = free_ports(1)[0]
    server = Prometheus(folder, f"http://127.0.0.1:{port}")
    options = (f"--config.file={configuration}", f"--storage.tsdb.path={folder / 'data'}", f"--web.listen-address=127.0.0.1:{port}")
    component = Component("prometheus", (programs.executable("prometheus"), *options), dies_with_parent=True)
    processes.start(folder, folder, component)

    def answers() -> bool:
        processes.require(folder, folder, [component])
        try:
            return httpx.get(f"{server.address}/-/ready", timeout=2, trust_env=False).status_code == httpx.codes.OK
        except httpx.HTTPError:
            return False

    wait_until(answers, f"Prometheus answers at {server.address}", 30)
    return server
