"""A namespace as a team has it: what the tests ask of it, and what is reported when a test fails."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from devtools.cluster.kubectl import Kubectl, items
from devtools.errors import DevtoolsError
from devtools.waiting import wait_until
from tests.node.support import manifests
from tests.node.support.manifests import Body

TOOLBOX = "toolbox"
DEADLINE = 240.0
"""Seconds after which a test stops waiting: several times what it takes on two idle cores."""


@dataclass(frozen=True)
class Team:
    """The namespace, and the images of the pods that tests make in it."""

    kubectl: Kubectl
    server_image: str

    def apply(self, *objects: Body) -> None:
        """Apply objects as a user does."""
        self.kubectl.apply(*objects, manager="team")

    def model(self, name: str) -> Body:
        """The MLModel as it is now."""
        return dict(self.kubectl.json("get", "mlmodel", name))

    def status(self, name: str) -> Body:
        """Its status; empty as long as there is none."""
        return dict(self.model(name).get("status", {}))

    def version(self, name: str) -> Body:
        """A ModelVersion."""
        return dict(self.kubectl.json("get", "modelversion", name))

    def pods(self, model: str, **labels: str) -> list[Body]:
        """The pods of a model, with these labels of mlmodel.dev."""
        return self._labelled("pods", model, labels)

    def jobs(self, model: str, **labels: str) -> list[Body]:
        """The Jobs of a model, with these labels of mlmodel.dev."""
        return self._labelled("jobs", model, labels)

    def _labelled(self, kind: str, model: str, labels: Mapping[str, str]) -> list[Body]:
        selector = ",".join(f"mlmodel.dev/{name}={value}" for name, value in {"model": model, **labels}.items())
        return list(items(self.kubectl.json("get", kind, f"--selector={selector}")))

    def wait(self, check: Callable[[], Any], what: str, seconds: float = DEADLINE) -> None:
        """Check once a second until it is so; the test fails when it never is."""
        try:
            wait_until(lambda: bool(check()), what, seconds, pause=1)
        except DevtoolsError as error:
            raise AssertionError(str(error)) from error

    def wait_live(self, name: str) -> str:
        """Wait until a version of the model serves; return its name. A new Service needs a moment until every node knows of it."""
        self.wait(lambda: condition(self.status(name), "Ready") == "True", f"{name} is ready")
        self.wait(lambda: self.post(name, "infer", request())[0] == 200, f"{name} answers")
        return str(self.status(name)["live"]["version"])

    def counted_rows(self, pod: str) -> dict[str, int]:
        """The row counts of the report of a model's pod; nothing as long as there is none."""
        report = self.kubectl.find("monitorreport", pod)
        return dict(report["spec"]["rows"]) if report else {}

    def annotate(self, model: str, **annotations: str) -> None:
        """Set annotations of mlmodel.dev, dashes written as underscores."""
        words = [f"mlmodel.dev/{name.replace('_', '-')}={value}" for name, value in annotations.items()]
        self.kubectl("annotate", "--overwrite", "mlmodel", model, *words)

    def run_script(self, name: str, *words: str) -> str:
        """Run a script of in_pods/ in the toolbox; return what it prints."""
        return self.kubectl("exec", TOOLBOX, "--", *manifests.script(name, *words))

    def post(self, model: str, what: str, document: Body) -> tuple[int, Body]:
        """Post to a model's Service from within the cluster; return status and answer."""
        return self._post(model, what, json.dumps(document))

    def post_junk(self, model: str, what: str, size: int) -> tuple[int, Body]:
        """The same with so many bytes that mean nothing."""
        return self._post(model, what, "--junk", str(size))

    def _post(self, model: str, what: str, *document: str) -> tuple[int, Body]:
        said = json.loads(self.run_script("post", f"http://{model}/v2/models/{model}/{what}", *document))
        return said["status"], said["body"]

    def predict(self, model: str) -> Body:
        """The model's answer to two rows; it must be one."""
        status, answer = self.post(model, "infer", request())
        assert status == 200, answer
        return answer

    def run_pod(self, body: Body) -> str:
        """Run a pod to its end and return what it printed; the pod is gone then."""
        name = body["metadata"]["name"]
        self.apply(body)
        self.wait(lambda: self._phase(name) in ("Succeeded", "Failed"), f"pod {name} ends")
        said, phase = self.kubectl("logs", name), self._phase(name)
        self.kubectl("delete", "pod", name)
        assert phase == "Succeeded", said
        return said

    def _phase(self, pod: str) -> str:
        return str(self.kubectl.json("get", "pod", pod)["status"]["phase"])

    def delete_models(self, names: Iterable[str]) -> None:
        """Delete models that are no longer needed; what they own goes in its own time."""
        self.kubectl("delete", "mlmodel", *names, "--ignore-not-found")

    def report(self) -> str:
        """What the cluster says of this namespace, for whoever has to find out why a test failed."""
        parts = [_report_model(model) for model in items(self.kubectl.json("get", "mlmodels"))]
        parts.append(self.kubectl("get", "pods,jobs,modelversions", "-o", "wide"))
        parts.append("\n".join(self.kubectl("get", "events", "--sort-by=.metadata.creationTimestamp").splitlines()[-40:]))
        return "\n\n".join(parts)


def condition(status: Body, name: str, field: str = "status") -> str:
    """A field of the condition of that name; empty where there is none."""
    return next((str(one[field]) for one in status.get("conditions", []) if one["type"] == name), "")


def decisions(status: Body, word: str) -> list[Body]:
    """The decisions of that word, oldest first."""
    return [one for one in status.get("decisions", []) if one["decision"] == word]


def request() -> Body:
    """Two rows, as an inference request."""
    columns: dict[str, tuple[str, list[Any]]] = {"x": ("FP64", [0.5, -1.5]), "z": ("FP64", [0.1, 0.2]), "c": ("BYTES", ["a", "b"])}
    return {"inputs": [{"name": name, "shape": [2], "datatype": kind, "data": data} for name, (kind, data) in columns.items()]}


def output(answer: Body, name: str) -> list[Any]:
    """An output of an answer."""
    return list(next(tensor["data"] for tensor in answer["outputs"] if tensor["name"] == name))


def toolbox(image: str) -> Body:
    """The pod that scripts run in: it mounts the source files and knows the bucket's keys."""
    return manifests.script_pod(TOOLBOX, image, ["sleep", "infinity"], claims={"/data": manifests.DATA}, secret=manifests.STORAGE)


def _report_model(model: Body) -> str:
    status = model.get("status", {})
    lines = [f"MLModel {model['metadata']['name']}: run {json.dumps(status.get('run'))}, drift {json.dumps(status.get('drift'))}"]
    lines += [f"  {one['type']}={one['status']} {one['reason']}: {one['message']}" for one in status.get("conditions", [])]
    lines += [f"  {one['time']} {one['decision']}: {one['message']}" for one in status.get("decisions", [])]
    return "\n".join(lines)
