"""Reads MLModels from files of manifests.

Not here: what the API server checks besides, by the CRD's rules.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from mlmodel_contract.manifest import MLModelSpec
from pydantic import ValidationError

from .settings import BacktestError

_KIND = "MLModel"


@dataclass(frozen=True)
class Manifest:
    """An MLModel: its name, and its spec."""

    name: str
    spec: MLModelSpec


def read_manifest(file: Path) -> Manifest:
    """Read the one MLModel of a file, among other manifests perhaps.

    Raises:
        BacktestError: the file cannot be read, has not exactly one MLModel, or a field of it is wrong.

    """
    try:
        documents = list(yaml.safe_load_all(file.read_text()))
    except FileNotFoundError as error:
        raise BacktestError(f"{file} is not there: correct the path behind -f") from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise BacktestError(f"{file} is no YAML that can be read: {' '.join(str(error).split())}") from error
    models = [document for document in documents if isinstance(document, dict) and document.get("kind") == _KIND]
    if len(models) != 1:
        raise BacktestError(f"{file} has {len(models)} manifests of kind {_KIND}: one is played, so leave one in the file")
    (model,) = models
    try:
        return Manifest(str(model.get("metadata", {}).get("name", file.stem)), MLModelSpec.model_validate(model.get("spec")))
    except ValidationError as error:
        raise BacktestError(f"{file}: {_first_problem(error)}") from error


def _first_problem(error: ValidationError) -> str:
    problem: Any = error.errors(include_url=False)[0]
    return f"spec.{'.'.join(str(part) for part in problem['loc'])}: {problem['msg']}"
