"""The examples in docstrings of all packages."""

import doctest
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = (
    "contract/mlmodel_contract",
    "detection/mlmodel_detection",
    "operator/mlmodel_operator",
    "model_server/model_server",
    "cli/mlmodel_cli",
)


def modules_with_examples() -> list[str]:
    """Names of the modules whose text has a prompt."""
    files = [(package, file) for package in PACKAGES for file in sorted((ROOT / package).rglob("*.py")) if ">>> " in file.read_text()]
    return [".".join(file.relative_to((ROOT / package).parent).with_suffix("").parts) for package, file in files]


@pytest.mark.parametrize("name", modules_with_examples())
def test_examples_in_docstrings_are_true(name: str) -> None:
    failed, tried = doctest.testmod(import_module(name.removesuffix(".__init__")))
    assert tried > 0
    assert failed == 0
