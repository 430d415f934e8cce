"""Renders the chart with helm, as an install would, and finds objects in what comes out. Asserts nothing."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from devtools.commands import run

ROOT = Path(__file__).parents[3]
CHART = ROOT / "charts" / "mlmodel-operator"
RELEASE = "mlmodel-operator"
SYSTEM = "mlmodel-system"
Value = str | int | bool | list[str]


@dataclass(frozen=True)
class Rendered:
    """The objects of a release."""

    text: str

    @property
    def objects(self) -> list[dict[str, Any]]:
        return [body for body in yaml.safe_load_all(self.text) if body]

    def kinds(self) -> set[str]:
        return {body["kind"] for body in self.objects}

    def find(self, kind: str, name: str) -> dict[str, Any]:
        return next(body for body in self.objects if (body["kind"], body["metadata"]["name"]) == (kind, name))


def render(helm: Path, **values: Value) -> Rendered:
    """Render with values by their dotted path, the dots written as two underscores. Raises `CommandError` with helm's sentence."""
    settings = [f"--set-json={key.replace('__', '.')}={_json(value)}" for key, value in values.items()]
    return Rendered(run([helm, "template", RELEASE, CHART, f"--namespace={SYSTEM}", *settings]))


def _json(value: Value) -> str:
    return json.dumps(value)
