"""The CRDs on a real API server: what it refuses and with which sentence, what it fills in, what kubectl shows."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from mlmodel_contract.base import Document
from mlmodel_contract.manifest import MLModelSpec
from mlmodel_operator import crds
from mlmodel_operator.structural_schema import structural_schema

from devtools.cluster.control_plane import ControlPlane
from devtools.cluster.kubectl import Kubectl
from devtools.errors import CommandError
from tests.operator.support.crd_manifests import Manifest, candidate, columns, data, model, objective, version

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def crds_installed(control_plane: ControlPlane) -> Iterator[None]:
    kubectl = control_plane.kubectl()
    kubectl("apply", "--server-side", "-f", str(ROOT / crds.FOLDER))
    for definition in crds.DEFINITIONS:
        kubectl("wait", "--for=condition=Established", f"crd/{definition.name}", "--timeout=60s")
    yield
    kubectl("delete", "-f", str(ROOT / crds.FOLDER), "--ignore-not-found")


@pytest.fixture
def anywhere(control_plane: ControlPlane, crds_installed: None) -> Kubectl:
    """kubectl for what leaves nothing behind and so needs no namespace of its own."""
    del crds_installed
    return control_plane.kubectl().within("default")


def create(kubectl: Kubectl, manifest: Manifest, *options: str) -> Any:
    return json.loads(kubectl("create", "-f", "-", "-o", "json", *options, input=json.dumps(manifest)))


def test_generated_files_are_up_to_date() -> None:
    stale = [path for path, content in crds.files().items() if not (ROOT / path).is_file() or (ROOT / path).read_text() != content]
    assert stale == [], "run `make crds`"


def test_a_field_without_a_description_is_no_crd() -> None:
    class Undescribed(Document):
        """A document."""

        size: int

    with pytest.raises(ValueError, match=r"Undescribed.size has no description"):
        structural_schema(Undescribed, defaults=False)


SPECS_REFUSED = [
    pytest.param({"objective": None}, "spec.objective: Required value", id="no objective"),
    pytest.param({"objective": {"criteria": []}}, "spec.objective.criteria in body should have at least 1 items", id="no criterion"),
    pytest.param(
        {"objective": {"criteria": [{"metric": "auc", "min": 0.7}]}},
        'Unsupported value: "auc": supported values: "roc_auc"',
        id="unknown metric",
    ),
    pytest.param(
        {"objective": {"criteria": [{"metric": "roc_auc", "min": 0.7, "max": 0.9}]}},
        "a criterion needs exactly one of min and max",
        id="criterion with both bounds",
    ),
    pytest.param(
        {"objective": {"criteria": [{"metric": "roc_auc"}]}}, "a criterion needs exactly one of min and max", id="criterion without a bound"
    ),
    pytest.param(
        {"objective": {"criteria": [{"metric": "rmse", "max": 3}]}},
        "objective.criteria: rmse, mae and r2 are for Regression",
        id="a regression's metric for a classification",
    ),
    pytest.param(
        {
            "data": data(target="dep_delay"),
            "training": {"task": "Regression"},
        },
        "objective.criteria: rmse, mae and r2 are for Regression",
        id="roc_auc for a regression",
    ),
    pytest.param(
        {"objective": {"criteria": [{"metric": "roc_auc", "min": 0.7}], "slices": [{"column": "dep_delay"}]}},
        "objective.slices: each column must be one of data.columns of type category or boolean",
        id="slice by a number",
    ),
    pytest.param({"data": data(columns=columns({"name": "carrier", "type": "category"}))}, "Duplicate value", id="a column twice"),
    pytest.param({"data": data(columns=columns({"name": "x", "type": "text"}))}, 'Unsupported value: "text"', id="unknown column type"),
    pytest.param(
        {"data": data(columns=columns({"name": "passport", "type": "category", "sensitive": True}), sources=[{"captured": {}}])},
        "sensitive columns are not captured, so captured rows cannot be learnt from",
        id="learning from rows that lack a sensitive column",
    ),
    pytest.param(
        {"data": data(columns=columns({"name": "at", "type": "time", "sensitive": True}))},
        "a column of type time cannot be sensitive",
        id="sensitive time",
    ),
    pytest.param(
        {
            "data": data(columns=columns({"name": "passport", "type": "category", "sensitive": True})),
            "objective": {"criteria": [{"metric": "roc_auc", "min": 0.7}], "slices": [{"column": "passport"}]},
        },
        "objective.slices: the values of a sensitive column may not be told",
        id="slice by a sensitive column",
    ),
    pytest.param(
        {"serving": {"authentication": {}}}, "serving.authentication needs exactly one of kubernetes and secret", id="callers of no kind"
    ),
    pytest.param(
        {"serving": {"authentication": {"kubernetes": {}, "secret": {"name": "keys"}}}},
        "serving.authentication needs exactly one of kubernetes and secret",
        id="callers of two kinds",
    ),
    pytest.param(
        {"serving": {"authentication": {"kubernetes": {"audiences": []}}}},
        "spec.serving.authentication.kubernetes.audiences in body should have at least 1 items",
        id="callers of no audience",
    ),
    pytest.param({"serving": {"tls": {}}}, "spec.serving.tls.secret: Required value", id="TLS without a Secret"),
    pytest.param({"data": data(target="delayed")}, "data.target must be one of data.columns", id="target not among the columns"),
    pytest.param(
        {"data": data(time="carrier")}, "data.time must be one of data.columns and have the type time", id="time column of another type"
    ),
    pytest.param({"data": data(window="90d")}, "data.window needs data.time", id="window without time"),
    pytest.param(
        {"data": data(columns=columns({"name": "t", "type": "time"}), time="t", window="90 days")},
        "spec.data.window in body should match",
        id="a window that is no duration",
    ),
    pytest.param({"data": data(sources=[{"uri": "ftp://host/x.csv"}])}, "should match '^(s3|https|pvc)://", id="bad URI scheme"),
    pytest.param(
        {"data": data(sources=[{"uri": "pvc:///x.csv"}])},
        "write pvc://claim/path with the name of a PersistentVolumeClaim",
        id="a claim without a name",
    ),
    pytest.param({"data": data(sources=[{}])}, "a source needs exactly one of uri and captured", id="an empty source"),
    pytest.param(
        {"data": data(columns=columns({"name": "origin", "type": "category", "min": 1}))},
        "only columns of type number have min and max",
        id="a category with a range",
    ),
    pytest.param(
        {"data": data(columns=columns({"name": "x", "type": "number", "min": 2, "max": 1}))},
        "a column's min must not exceed its max",
        id="an empty range",
    ),
    pytest.param(
        {"model": {"uri": "s3://models/x", "digest": "sha256:" + "0" * 64}},
        "spec needs exactly one of model (trained elsewhere) and training (trained here)",
        id="both model and training",
    ),
    pytest.param({"training": None}, "spec needs exactly one of model", id="neither model nor training"),
    pytest.param({"data": None}, "spec.training needs spec.data", id="training without data"),
    pytest.param(
        {"training": candidate(estimator="sklearn.svm.SVC")},
        'Unsupported value: "sklearn.svm.SVC": supported values',
        id="unknown estimator",
    ),
    pytest.param(
        {"training": candidate(estimator="sklearn.linear_model.Ridge")},
        "training.candidates: each estimator must fit training.task",
        id="a regressor for a classification",
    ),
    pytest.param(
        {"training": candidate(search={"C": {"choice": [1], "uniform": [0, 1]}})},
        "spec.training.candidates[0].search.C: Too many: 2: must have at most 1 item",
        id="two ways to search",
    ),
    pytest.param(
        {"training": candidate(search={"C": {"logUniform": [0, 1]}})},
        "logUniform needs [low, high] with 0 < low < high",
        id="logarithm of zero",
    ),
    pytest.param({"training": {"task": "Classification", "selectBy": "r2"}}, "training.selectBy of a Classification", id="wrong selectBy"),
    pytest.param({"training": {"task": "Clustering"}}, 'Unsupported value: "Clustering"', id="unknown task"),
    pytest.param(
        {"data": data(target="carrier"), "training": {"task": "Regression"}, "objective": {"criteria": [{"metric": "rmse", "max": 3}]}},
        "the target's column type must be number for a Regression",
        id="regression of a category",
    ),
    pytest.param({"serving": {"replicas": -1}}, "should be greater than or equal to 0", id="negative replicas"),
    pytest.param(
        {"training": {"task": "Classification", "resources": {"limits": {"memory": "2 GB"}}}},
        "spec.training.resources.limits.memory in body should match",
        id="memory that is no quantity",
    ),
    pytest.param(
        {"serving": {"resources": {"requests": {"cpu": "1500m"}, "limits": {"cpu": "1"}}}},
        "requests.cpu must not exceed limits.cpu",
        id="more cpu requested than allowed",
    ),
    pytest.param(
        {"training": {"task": "Classification", "resources": {"requests": {"memory": "2Gi"}, "limits": {"memory": "1500M"}}}},
        "requests.memory must not exceed limits.memory",
        id="more memory requested than allowed",
    ),
    pytest.param(
        {"serving": {"autoscaling": {"minReplicas": 5, "maxReplicas": 2}}},
        "autoscaling.minReplicas must not exceed autoscaling.maxReplicas",
        id="fewest pods above most",
    ),
    *(
        pytest.param(
            {"serving": {"tracing": {"endpoint": endpoint}}},
            "serving.tracing.endpoint: write http:// or https://, a host, its port and nothing else but a path",
            id=f"{endpoint} for a collector",
        )
        for endpoint in (
            "collector:4317",
            "grpc://collector:4317",
            "http://a:b@collector",
            "http://c/?a=b",
            "http://c:99999",
            "http://c:0",
            "",
        )
    ),
    pytest.param(
        {"serving": {"tracing": {"endpoint": "http://c:4317", "sampleRatio": 1.5}}}, "should be less than or equal to 1", id="more than all"
    ),
    pytest.param({"serving": {"workers": 0}}, "should be greater than or equal to 1", id="no worker"),
    pytest.param({"serving": {"workers": 17}}, "should be less than or equal to 16", id="workers past counting"),
    pytest.param({"serving": {"batcher": {"maxBatchSize": 0}}}, "should be greater than or equal to 1", id="batches of nothing"),
    pytest.param({"serving": {"batcher": {"maxLatency": 2}}}, "serving.batcher.maxLatency: Invalid value", id="a wait without a unit"),
    pytest.param(
        {"serving": {"batcher": {"maxLatency": "2us"}}}, "serving.batcher.maxLatency in body should match", id="a wait of microseconds"
    ),
    pytest.param({"serving": {"batcher": {"maxLatency": "2s"}}}, "batcher.maxLatency must be from 0s to 1s, such as 2ms", id="a long wait"),
    pytest.param(
        {"serving": {"batcher": {"maxLatency": "1d"}}}, "batcher.maxLatency must be from 0s to 1s, such as 2ms", id="a wait of days"
    ),
    pytest.param({"serving": {"timeout": "0s"}}, "serving.timeout must be from 10ms to 10m, such as 30s", id="no time at all"),
    pytest.param({"serving": {"timeout": "1h"}}, "serving.timeout must be from 10ms to 10m, such as 30s", id="a timeout of hours"),
    pytest.param(
        {"serving": {"timeout": "500ms", "batcher": {"maxLatency": "0.5s"}}},
        "serving.timeout must be longer than serving.batcher.maxLatency",
        id="a timeout while requests still wait for others",
    ),
    pytest.param(
        {"monitoring": {"labels": {"completeAfter": "90m", "maxDelay": "1h"}}},
        "monitoring.labels.completeAfter must not exceed monitoring.labels.maxDelay",
        id="labels that come when none is taken",
    ),
    pytest.param({"serving": {"limits": {"maxBodyBytes": 100}}}, "should be greater than or equal to 1024", id="bodies too short for any"),
    pytest.param({"serving": {"limits": {"maxRequests": 0}}}, "should be greater than or equal to 1", id="no request"),
    pytest.param({"serving": {"limits": {"maxRow": 5}}}, 'unknown field "spec.serving.limits.maxRow"', id="a limit that does not exist"),
    pytest.param({"retraining": {"cooldown": "9999999999d"}}, "spec.retraining.cooldown in body should match", id="an endless duration"),
    pytest.param(
        {"model": {"uri": "pvc://models/x", "digest": "sha256:" + "0" * 64}, "training": None},
        "spec.data is what spec.training learns from: leave it out beside spec.model",
        id="data beside a model trained elsewhere",
    ),
    pytest.param(
        {"retraining": {"schedule": "0 3 * * 0"}}, "retraining.schedule and the trigger Schedule need each other", id="schedule alone"
    ),
    pytest.param({"retraining": {"maxAge": "90d"}}, "retraining.maxAge and the trigger Age need each other", id="age alone"),
    pytest.param(
        {"retraining": {"triggers": ["Age"]}}, "retraining.maxAge and the trigger Age need each other", id="the trigger Age without an age"
    ),
    pytest.param({"objective": objective(onMiss="Hope")}, 'Unsupported value: "Hope"', id="unknown consequence of a miss"),
    pytest.param(
        {"objective": objective(value={})},
        "objective.value needs exactly one of outcomes, column and perUnitError",
        id="a value of nothing",
    ),
    pytest.param(
        {"objective": objective(value={"outcomes": {}, "column": "dep_delay"})},
        "objective.value needs exactly one of outcomes, column and perUnitError",
        id="two values",
    ),
    pytest.param(
        {"objective": objective(value={"perUnitError": 2})},
        "objective.value: perUnitError is for Regression; outcomes and column are for Classification",
        id="a value of errors for a classification",
    ),
    pytest.param(
        {"objective": objective(value={"column": "carrier"})},
        "objective.value.column must be one of data.columns of type number",
        id="a value of text",
    ),
    pytest.param({"retraining": {"triggers": ["Moon"]}}, 'Unsupported value: "Moon"', id="unknown trigger"),
    pytest.param({"monitoring": {"falseAlarmProbability": 0}}, "should be greater than 0", id="no false alarm ever"),
    pytest.param({"trainig": {}}, 'unknown field "spec.trainig"', id="a field that does not exist"),
]


@pytest.mark.parametrize(("spec", "sentence"), SPECS_REFUSED)
def test_a_wrong_manifest_is_refused_with_a_sentence(anywhere: Kubectl, spec: Manifest, sentence: str) -> None:
    with pytest.raises(CommandError) as refused:
        create(anywhere, model(**spec), "--dry-run=server")
    assert sentence in str(refused.value), str(refused.value)


@pytest.mark.parametrize("name", ["a" * 41, "9lives", "with.dot"])
def test_a_name_that_children_cannot_be_named_after_is_refused(anywhere: Kubectl, name: str) -> None:
    manifest = model()
    manifest["metadata"]["name"] = name
    with pytest.raises(CommandError, match=r"metadata.name must have at most 40 characters"):
        create(anywhere, manifest, "--dry-run=server")


def test_a_name_that_another_models_version_may_have_is_refused(anywhere: Kubectl) -> None:
    manifest = model()
    manifest["metadata"]["name"] = "churn-v2"
    with pytest.raises(CommandError, match=r"metadata.name must not end in -v and a number"):
        create(anywhere, manifest, "--dry-run=server")


SPECS_ACCEPTED = [
    pytest.param({}, id="objective, data and training alone"),
    pytest.param(
        {"model": {"uri": "pvc://models/x", "digest": "sha256:" + "0" * 64}, "data": None, "training": None}, id="a model trained elsewhere"
    ),
    pytest.param(
        {
            "training": candidate(
                parameters={"max_iter": 50, "early_stopping": False}, search={"max_leaf_nodes": {"choice": [15, None, "x"]}}
            )
        },
        id="parameters of every type",
    ),
    pytest.param(
        {"data": data(target="dep_delay"), "training": {"task": "Regression"}, "objective": {"criteria": [{"metric": "r2", "min": 0.1}]}},
        id="regression",
    ),
    pytest.param(
        {"data": data(sources=[{"uri": "https://host/x.csv.gz", "credentials": "key"}, {"captured": {}}])}, id="captured rows as a source"
    ),
    pytest.param(
        {
            "objective": objective(onMiss="KeepLive", value={"outcomes": {"truePositive": 5, "falsePositive": -1}, "currency": "EUR"}),
            "training": {"task": "Classification", "windows": ["Recent"], "validation": {"refit": False}},
            "retraining": {
                "triggers": ["NewRows", "Age", "Source"],
                "maxAge": "90d",
                "sourceCheck": "12h",
                "budget": {"runsPerWeek": 7, "cpuHoursPerWeek": 2.5},
                "pricePerCpuHour": 0.05,
            },
        },
        id="worth, windows and the pace of runs",
    ),
    pytest.param(
        {
            "data": data(columns=columns({"name": "t", "type": "time"}), time="t", window="1d12h"),
            "retraining": {"triggers": ["Schedule"], "schedule": "0 3 * * 0"},
            "serving": {"autoscaling": {"maxReplicas": 3, "behavior": {"scaleDown": {"stabilizationWindowSeconds": 60}}}},
        },
        id="window, schedule and autoscaling",
    ),
    pytest.param(
        {"serving": {"resources": {"requests": {"cpu": "500m", "memory": "1Gi"}, "limits": {"cpu": "0.5", "memory": "1024Mi"}}}},
        id="as much requested as allowed",
    ),
    *(
        pytest.param({"serving": {"tracing": {"endpoint": endpoint, "sampleRatio": 0.5}}}, id=f"{endpoint} for a collector")
        for endpoint in ("http://collector.team:4317", "https://[::1]:4318/v1/traces", "http://10.0.0.1", "https://c.example:65535/")
    ),
    pytest.param(
        {
            "serving": {
                "workers": 4,
                "batcher": {"maxBatchSize": 256, "maxLatency": "2.5ms"},
                "limits": {"maxBodyBytes": 2**20, "maxRows": 100, "maxRequests": 64},
                "timeout": "1m30s",
            }
        },
        id="settings of the server",
    ),
]


@pytest.mark.parametrize("spec", SPECS_ACCEPTED)
def test_the_contract_reads_what_the_api_server_accepts(anywhere: Kubectl, spec: Manifest) -> None:
    manifest = model(**spec)
    stored = MLModelSpec.model_validate(create(anywhere, manifest, "--dry-run=server")["spec"])
    assert stored == MLModelSpec.model_validate(manifest["spec"])


def _readme_manifest() -> str:
    """The manifest of README's first screen."""
    found = re.search(r"```yaml\n(.+?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert found is not None
    return found[1]


@pytest.mark.parametrize("path", ["README.md", *(str(path.relative_to(ROOT)) for path in sorted((ROOT / "examples").rglob("*.yaml")))])
def test_the_api_server_takes_every_manifest_that_a_reader_is_shown(anywhere: Kubectl, path: str) -> None:
    text = _readme_manifest() if path == "README.md" else (ROOT / path).read_text()
    objects = [manifest for manifest in yaml.safe_load_all(text) if manifest]
    assert objects
    for manifest in objects:
        manifest["metadata"].pop("namespace", None)  # it is not there
        create(anywhere, manifest, "--dry-run=server")


def test_defaults_are_filled_in(anywhere: Kubectl) -> None:
    spec = create(anywhere, model(), "--dry-run=server")["spec"]
    assert spec["serving"]["replicas"] == 1
    assert spec["serving"]["resources"]["limits"] == {"memory": "1Gi"}
    assert spec["serving"]["batcher"] == {"maxBatchSize": 1024, "maxLatency": "0s"}
    assert spec["serving"]["limits"] == {"maxBodyBytes": 8 * 2**20, "maxRows": 65_536, "maxRequests": 1024}
    assert (spec["serving"]["workers"], spec["serving"]["timeout"]) == (1, "30s")
    assert spec["monitoring"]["labels"] == {"maxDelay": "7d"}
    assert spec["retraining"]["triggers"] == ["Drift", "Performance", "NewRows"]
    assert spec["training"]["validation"] == {"folds": 3, "holdout": 0.2, "refit": True}
    assert spec["suspend"] is False
    assert "candidates" not in spec["training"]


@pytest.mark.usefixtures("crds_installed")
def test_kubectl_scale_sets_the_replicas(kubectl: Kubectl) -> None:
    create(kubectl, model())
    kubectl("scale", "mlm/flights", "--replicas=3")
    assert kubectl.json("get", "mlm", "flights")["spec"]["serving"]["replicas"] == 3


@pytest.mark.usefixtures("crds_installed")
def test_a_version_never_changes(kubectl: Kubectl) -> None:
    create(kubectl, version())
    with pytest.raises(CommandError, match="the spec of a ModelVersion never changes"):
        kubectl("patch", "mlv", "flights-v1", "--type=merge", "-p", '{"spec": {"run": 2}}')
    kubectl("patch", "mlv", "flights-v1", "--subresource=status", "--type=merge", "-p", '{"status": {"phase": "Live"}}')
    assert "Live" in kubectl("get", "mlv", "flights-v1")


@pytest.mark.usefixtures("crds_installed")
def test_the_columns_tell_how_a_model_is(kubectl: Kubectl) -> None:
    create(kubectl, model())
    status = {
        "conditions": [
            {"type": "Ready", "status": "True", "reason": "Serving", "message": "m", "lastTransitionTime": "2026-01-01T00:00:00Z"}
        ],
        "live": {"version": "flights-v1", "since": "2026-01-01T00:00:00Z"},
        "drift": {"state": "Suspected"},
        "objective": [{"metric": "roc_auc", "bound": ">= 0.7", "summary": "roc_auc 0.75 >= 0.7"}],
    }
    kubectl("patch", "mlm", "flights", "--subresource=status", "--type=merge", "-p", json.dumps({"status": status}))
    head, row = kubectl("get", "mlm", "flights").splitlines()
    assert head.split() == ["NAME", "READY", "LIVE", "CANDIDATE", "DRIFT", "OBJECTIVE", "AGE"]
    assert row.split()[:4] == ["flights", "True", "flights-v1", "Suspected"]
    assert "roc_auc 0.75 >= 0.7" in row


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("mlmodel.spec.objective", "Bounds that are promised"),
        ("mlmodel.spec.data.columns", "number, category (text), boolean, or time"),
        ("mlmodel.spec.serving", "Processes that serve in each pod"),
        ("mlmodel.spec.serving.batcher", "Most rows that are computed together"),
        ("mlmodel.spec.serving.limits", "a longer one is refused (413)"),
        ("mlmodel.status.drift", "Drifted features, strongest first"),
        ("modelversion.spec.decision", "The sentence with the figures"),
        ("monitorreport.spec.rows", "Rows that the sidecar counted"),
    ],
)
def test_explain_is_the_manual(anywhere: Kubectl, path: str, text: str) -> None:
    assert text in " ".join(anywhere("explain", path).split())
