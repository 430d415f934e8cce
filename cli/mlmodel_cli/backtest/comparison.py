"""Several manifests over the same data, one after the other; schedules that follow from the same parts of them are fitted once.

Not here: one backtest (``backtest.py``).
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from mlmodel_contract.manifest import Checks, MLModelSpec

from .backtest import run_backtest
from .manifests import read_manifest
from .replayed_stream import OnProgress
from .result import BacktestResult
from .settings import BacktestSettings
from .stream import read_rows


def compare(files: Sequence[Path], data: Path, settings: BacktestSettings, on_progress: OnProgress) -> list[BacktestResult]:
    """Play the manifests in these files over the rows of another; all are read before the first is played.

    Raises:
        BacktestError: a file cannot be read, or manifest, rows and settings do not fit together.

    """
    manifests = [read_manifest(file) for file in files]
    tables = [read_rows(data, manifest.spec, settings) for manifest in manifests]
    played: dict[str, BacktestResult] = {}  # by what its schedules follow from
    results = []
    for number, (manifest, table) in enumerate(zip(manifests, tables, strict=True)):

        def on_share(share: float, doing: str, number: int = number, name: str = manifest.name) -> None:
            on_progress((number + share) / len(manifests), f"{name}: {doing}")

        inputs = _schedule_inputs(manifest.spec, settings)
        own = replace(settings, schedules="none") if inputs in played else settings
        result = run_backtest(manifest.spec, table, own, manifest.name, on_share)
        results.append(replace(result, schedules=played[inputs].schedules) if inputs in played else result)
        played.setdefault(inputs, result)
    return results


def _schedule_inputs(spec: MLModelSpec, settings: BacktestSettings) -> str:
    """Return all of a spec that its schedules follow from; which candidate leads follows from the whole of it."""
    if spec.data is None or spec.training is None or settings.schedules == "leader":
        return spec.model_dump_json()
    value = spec.objective.value
    candidates = [candidate.wire() for candidate in spec.training.tried]
    return json.dumps([spec.data.replace(sources=[], checks=Checks()).wire(), candidates, value.wire() if value else None])
