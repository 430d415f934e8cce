"""The children of a small model, whole, as they stand in golden/*.yaml: a change of any field is seen in review.

Regenerate with ``UPDATE_GOLDEN=1 uv run pytest tests/operator/resources/test_golden.py`` and read the difference.
"""

import os
from functools import cache
from pathlib import Path

import pytest
import yaml
from mlmodel_contract.run import Stage
from mlmodel_operator.cluster.cache import Ref
from mlmodel_operator.cluster.kinds import CHILDREN, JOB, MODEL_VERSION, SECRET

from tests.operator.support.manifests import Body, spec
from tests.operator.support.model_lifecycle import ModelLifecycle

GOLDEN = Path(__file__).parent / "golden"
AUTOSCALED = {"serving": {"autoscaling": {"minReplicas": 2, "maxReplicas": 4}}}


@cache
def served() -> dict[str, Body]:
    """All children once the first version is live, by file name."""
    model = ModelLifecycle(spec(**AUTOSCALED))
    model.settle()
    jobs = {}
    for stage in Stage:
        name = f"late-r1-{stage.lower()}"
        jobs[name] = model.api.objects[Ref(JOB, name)]
        model.ends(stage)
    model.ready("late-v1")
    children = {
        f"{ref.kind.name}-{ref.name}": body for ref, body in model.api.objects.items() if ref.kind in (*CHILDREN, MODEL_VERSION, SECRET)
    }
    return {name.lower(): cleaned(body) for name, body in (children | {f"Job-{name}": job for name, job in jobs.items()}).items()}


def cleaned(body: Body) -> Body:
    """Leave out what the API server or chance adds."""
    metadata = {name: body["metadata"][name] for name in ("name", "namespace", "labels", "ownerReferences")}
    metadata["ownerReferences"] = [reference | {"uid": "UID"} for reference in metadata["ownerReferences"]]
    made = {name: value for name, value in body.items() if name != "status"} | {"metadata": metadata}
    if body["kind"] == "Secret":
        made["data"] = dict.fromkeys(body["data"], "RANDOM")
    text = yaml.safe_dump(made, sort_keys=True, width=140)
    for known in {part for line in text.splitlines() for part in line.split('"') if part.startswith("uid-")}:
        text = text.replace(known, "UID")
    whole: Body = yaml.safe_load(text)
    return whole


def test_every_child_is_as_reviewed() -> None:
    made = {f"{name}.yaml": yaml.safe_dump(body, sort_keys=True, width=140) for name, body in served().items()}
    if os.environ.get("UPDATE_GOLDEN"):
        GOLDEN.mkdir(exist_ok=True)
        for old in GOLDEN.glob("*.yaml"):
            old.unlink()
        for name, text in made.items():
            (GOLDEN / name).write_text(text)
    assert sorted(path.name for path in GOLDEN.glob("*.yaml")) == sorted(made)
    different = [name for name, text in made.items() if (GOLDEN / name).read_text() != text]
    assert different == [], "see the docstring of this module"


@pytest.mark.parametrize("name", [name for name in served() if name.startswith(("deployment", "job"))])
def test_every_pod_passes_the_restricted_pod_security_standard(name: str) -> None:
    pod = served()[name]["spec"]["template"]["spec"]
    security = pod["securityContext"]
    assert (security["runAsNonRoot"], security["runAsUser"], security["fsGroup"]) == (True, 1000, 1000)
    assert security["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    for container in (*pod.get("initContainers", []), *pod["containers"]):
        own = container["securityContext"]
        assert own["allowPrivilegeEscalation"] is False
        assert own["readOnlyRootFilesystem"] is True
        assert own["capabilities"] == {"drop": ["ALL"]}
        assert "emptyDir" in next(volume for volume in pod["volumes"] if volume["name"] == "tmp")


def test_only_the_monitor_has_a_token() -> None:
    pod = served()["deployment-late-v1"]["spec"]["template"]["spec"]
    with_token = [
        container["name"]
        for container in (*pod["initContainers"], *pod["containers"])
        if any(mount["name"] == "token" for mount in container["volumeMounts"])
    ]
    assert with_token == ["monitor"]
