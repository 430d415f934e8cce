"""What of a spec a model learns from: a change there asks for a new version, a change elsewhere does not.

Not here: the rules that the API server checks (CEL in the contract).
"""

import hashlib
import json

from mlmodel_contract.manifest import MLModelSpec


def spec_digest(spec: MLModelSpec) -> str:
    """Return a digest of objective, data, training and model; resources, retries and the like of training do not count."""
    wire = spec.wire()
    learnt = {part: wire.get(part) for part in ("data", "training", "model")}
    learnt["objective"] = {part: wire["objective"].get(part) for part in ("criteria", "slices")}
    if learnt["training"]:
        learnt["training"] = {
            name: value for name, value in learnt["training"].items() if name not in ("parallelism", "retries", "timeout", "resources")
        }
    return hashlib.sha256(json.dumps(learnt, sort_keys=True).encode()).hexdigest()[:16]
