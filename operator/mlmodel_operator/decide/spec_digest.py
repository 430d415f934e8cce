"""What of a spec a model learns from: a change there asks for a new version, a change elsewhere does not.

Not here: the rules that the API server checks (CEL in the contract).
"""

import hashlib
import json
from typing import Any

from mlmodel_contract.manifest import MLModelSpec
from mlmodel_contract.manifest.training import default_windows


def spec_digest(spec: MLModelSpec) -> str:
    """Return a digest of objective, data, training and model; resources, retries and the like of training do not count."""
    wire = _without_defaults(spec)
    learnt = {part: wire.get(part) for part in ("data", "training", "model")}
    learnt["objective"] = {part: wire["objective"].get(part) for part in ("criteria", "slices")}
    if learnt["training"]:
        learnt["training"] = {
            name: value for name, value in learnt["training"].items() if name not in ("parallelism", "retries", "timeout", "resources")
        }
    return hashlib.sha256(json.dumps(learnt, sort_keys=True).encode()).hexdigest()[:16]


def _without_defaults(spec: MLModelSpec) -> dict[str, Any]:
    """Return the spec without those fields, added since, that say what was so before: an upgrade must not look like a change."""
    wire = spec.wire()
    training = wire.get("training")
    if training:
        if training["windows"] == default_windows():
            del training["windows"]
        if training["validation"]["refit"]:
            del training["validation"]["refit"]
    return wire
