"""An application: sends requests steadily, and each row's label at once. Nothing is tried again and no connection is kept, so that
every request that fails is counted.

URL in the environment is the model's. How it behaves stands in /tmp/behaviour.json, which may change while it runs. Prints a line of
JSON, all counts so far, about once a second; keeps an unlabelled prediction id of each version in /tmp/ids.
"""

import json
import os
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from tests.node.in_pods.world import COLUMNS, Behaviour, rows

BEHAVIOUR = Path("/tmp/behaviour.json")
IDS = Path("/tmp/ids")


@dataclass
class Counts:
    """What happened so far."""

    requests: int = 0
    failed: int = 0
    labels: int = 0
    labels_failed: int = 0
    versions: dict[str, int] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Pace:
    """How much is asked: rows in a request, and seconds between requests."""

    rows: int = 10
    pause: float = 0.2


class Failed(Exception):
    """A request that was not answered with 200."""


class Application:
    """Asks and labels."""

    def __init__(self, url: str) -> None:
        self.counts = Counts()
        self._url = url
        self._random = np.random.default_rng(2)
        self._http = httpx.Client(timeout=20, trust_env=False, headers={"Connection": "close"})

    def send_once(self, behaviour: Behaviour, pace: Pace) -> None:
        """Send one request and its labels."""
        table = rows(self._random, pace.rows, behaviour)
        self.counts.requests += 1
        try:
            version, ids = self._predict({name: table[name].tolist() for name in COLUMNS})
        except Failed as failure:
            self.counts.failed += 1
            self._note(failure)
            return
        self.counts.versions[version] = self.counts.versions.get(version, 0) + len(ids)
        self._save_id(version, ids[0])
        try:
            labels = [{"id": one, "truth": truth} for one, truth in zip(ids[1:], table["late"].tolist()[1:], strict=True)]
            self.counts.labels += int(self._post("feedback", {"labels": labels})["accepted"])
        except Failed as failure:
            self.counts.labels_failed += 1
            self._note(failure)

    def _predict(self, columns: dict[str, list[Any]]) -> tuple[str, list[str]]:
        inputs = [
            {"name": name, "shape": [len(values)], "datatype": "BYTES" if name == "c" else "FP64", "data": values}
            for name, values in columns.items()
        ]
        answer = self._post("infer", {"inputs": inputs})
        outputs = {tensor["name"]: tensor["data"] for tensor in answer["outputs"]}
        return answer["model_version"], outputs["prediction_id"]

    def _post(self, what: str, document: dict[str, Any]) -> Any:
        try:
            answer = self._http.post(f"{self._url}/{what}", json=document)
        except httpx.HTTPError as error:
            raise Failed(f"{what}: {type(error).__name__}: {error}") from error
        if answer.status_code != 200:
            raise Failed(f"{what}: {answer.status_code}: {answer.text[:300]}")
        return answer.json()

    def _note(self, failure: Failed) -> None:
        self.counts.errors = [*self.counts.errors, f"{time.strftime('%H:%M:%S')} {failure}"][-5:]

    def _save_id(self, version: str, prediction: str) -> None:
        if not (IDS / version).exists():
            IDS.mkdir(exist_ok=True)
            (IDS / version).write_text(prediction)


def read_behaviour(previous: dict[str, Any]) -> dict[str, Any]:
    """What the file says; the previous behaviour where it is being written just now."""
    try:
        return dict(json.loads(BEHAVIOUR.read_text()))
    except (FileNotFoundError, ValueError):
        return previous


def main() -> None:
    """Ask until the pod ends."""
    application = Application(os.environ["URL"])
    printed, wanted = 0.0, dict[str, Any]()
    while True:
        wanted = read_behaviour(wanted)
        pace = Pace(**{name: wanted[name] for name in ("rows", "pause") if name in wanted})
        world = {name: wanted[name] for name in ("shift", "slide", "contrary", "missing") if name in wanted}
        application.send_once(Behaviour(**world), pace)
        if time.monotonic() - printed >= 1:
            printed = time.monotonic()
            print(json.dumps(asdict(application.counts)), flush=True)  # noqa: T201 (its output)
        time.sleep(pace.pause)


if __name__ == "__main__":
    main()
