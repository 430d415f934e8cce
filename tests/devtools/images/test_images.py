"""What the built images hold, and what they must not."""

import json
import re
import tarfile
from pathlib import Path
from typing import Any

import pytest

from devtools.images.build import build

_TOOLS = {"pip", "uv", "hatchling"}

pytestmark = pytest.mark.node  # the first build takes minutes


def _config(archive: Path) -> dict[str, Any]:
    with tarfile.open(archive) as file:
        manifest = json.loads(_read(file, "manifest.json"))
        config: dict[str, Any] = json.loads(_read(file, manifest[0]["Config"]))["config"]
    return config


def _read(file: tarfile.TarFile, name: str) -> bytes:
    entry = file.extractfile(name)
    return entry.read() if entry else b""


def _packages(archive: Path) -> set[str]:
    """Names of the installed Python packages, by their metadata folders in any layer."""
    found = set()
    with tarfile.open(archive) as file:
        for layer in json.loads(_read(file, "manifest.json"))[0]["Layers"]:
            content = file.extractfile(layer)
            with tarfile.open(fileobj=content) as inner:
                names = "\n".join(inner.getnames())
            found |= set(re.findall(r"opt/.*/([A-Za-z0-9_.]+)-[^/]+\.dist-info$", names, re.MULTILINE))
    return found


@pytest.mark.parametrize(
    ("target", "inside", "outside"),
    [
        (
            "operator",
            {"mlmodel_operator", "mlmodel_contract", "kopf"},
            {"mlmodel_server", "scikit_learn", "pandas", "pip", "uv", "hatchling"},
        ),
        ("model-server", {"mlmodel_server", "mlmodel_contract", "scikit_learn"}, {"mlmodel_operator", "kopf", "pip", "uv", "hatchling"}),
    ],
)
def test_an_image_holds_its_own_packages_and_no_tools(target: str, inside: set[str], outside: set[str]) -> None:
    packages = _packages(build(target))
    assert inside <= packages
    assert not (outside | _TOOLS) & packages


@pytest.mark.parametrize(("target", "program"), [("operator", "mlmodel-operator"), ("model-server", "model-server")])
def test_an_image_runs_its_program_as_a_user_without_rights(target: str, program: str) -> None:
    config = _config(build(target))
    assert config["Entrypoint"] == [program]
    assert config["User"] == "1000:1000"
