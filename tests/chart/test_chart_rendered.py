"""What the chart renders, and which values it refuses. No API server."""

from pathlib import Path

import pytest
import yaml

from devtools.commands import run
from devtools.errors import CommandError
from tests.chart.support.chart import CHART, RELEASE, Value, render

pytestmark = pytest.mark.slow


def test_helm_lint_has_nothing_to_say(helm_program: Path) -> None:
    run([helm_program, "lint", "--strict", CHART])


@pytest.mark.parametrize(
    ("values", "field"),
    [
        pytest.param({"store__uri": "gs://bucket"}, "/store/uri", id="a store that does not work yet"),
        pytest.param({"store__credentials": "keys"}, "/store/credentials", id="credentials for a claim"),
        pytest.param({"store__size": "ten"}, "/store/size", id="no quantity"),
        pytest.param({"operator__replicas": -1}, "/operator/replicas", id="negative replicas"),
        pytest.param({"operator__logLevel": "loud"}, "/operator/logLevel", id="unknown log level"),
        pytest.param({"operator__image__name": ""}, "/operator/image/name", id="no image"),
        pytest.param({"operator__image__tag": "1"}, "/operator/image", id="a value that does not exist"),
        pytest.param({"watchNamespace": "Airline"}, "/watchNamespace", id="no name of a namespace"),
        pytest.param({"authentication__namespaces": ["*"]}, "/authentication/namespaces/0", id="any namespace"),
        pytest.param({"metrics__rules__enabled": True}, "/metrics/rules", id="another word for create"),
        pytest.param({"metrics__podMonitor__interval": "often"}, "/metrics/podMonitor/interval", id="no duration"),
        pytest.param({"crds__keep": "yes"}, "/crds/keep", id="a text for a boolean"),
    ],
)
def test_a_wrong_value_is_refused_by_name(helm_program: Path, values: dict[str, Value], field: str) -> None:
    with pytest.raises(CommandError) as refused:
        render(helm_program, **values)
    assert field in str(refused.value)


def test_kubernetes_before_1_30_is_refused(helm_program: Path) -> None:
    with pytest.raises(CommandError, match=r"requires kubeVersion: >=1.30.0-0"):
        run([helm_program, "template", RELEASE, CHART, "--kube-version=1.29.9"])


def test_crds_are_kept_only_when_asked(helm_program: Path) -> None:
    name = "mlmodels.mlmodel.dev"
    assert render(helm_program).find("CustomResourceDefinition", name)["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
    assert "annotations" not in render(helm_program, crds__keep=False).find("CustomResourceDefinition", name)["metadata"]
    assert "CustomResourceDefinition" not in render(helm_program, crds__enabled=False).kinds()


def test_an_install_for_one_namespace_has_no_rights_elsewhere(helm_program: Path) -> None:
    rendered = render(helm_program, watchNamespace="airline", roles__create=False)
    assert "ClusterRoleBinding" not in rendered.kinds()
    assert [body["metadata"]["name"] for body in rendered.objects if body["kind"] == "ClusterRole"] == [
        f"{RELEASE}-reporter",
        f"{RELEASE}-reviewer",
    ]
    assert rendered.find("Role", RELEASE)["metadata"]["namespace"] == "airline"
    assert rendered.find("RoleBinding", RELEASE)["subjects"][0]["namespace"] == "mlmodel-system"


def test_only_servers_of_named_namespaces_may_ask_whose_a_token_is(helm_program: Path) -> None:
    assert "tokenreviews" not in render(helm_program).text
    rendered = render(helm_program, authentication__namespaces=["airline", "bank"])
    binding = rendered.find("ClusterRoleBinding", f"{RELEASE}-token-reviewer")
    assert [subject["name"] for subject in binding["subjects"]] == ["system:serviceaccounts:airline", "system:serviceaccounts:bank"]
    rules = rendered.find("ClusterRole", binding["roleRef"]["name"])["rules"]
    assert rules == [{"apiGroups": ["authentication.k8s.io"], "resources": ["tokenreviews"], "verbs": ["create"]}]


def test_no_right_is_a_wildcard_and_no_secret_is_read(helm_program: Path) -> None:
    roles = [body for body in render(helm_program).objects if body["kind"] in ("Role", "ClusterRole")]
    rules = [rule for role in roles for rule in role["rules"]]
    assert not [rule for rule in rules if "*" in (*rule["apiGroups"], *rule["resources"], *rule["verbs"])]
    assert [rule["verbs"] for rule in rules if "secrets" in rule["resources"]] == [["create"]]


def test_one_replica_has_no_disruption_budget(helm_program: Path) -> None:
    assert "PodDisruptionBudget" in render(helm_program).kinds()
    assert "PodDisruptionBudget" not in render(helm_program, operator__replicas=1).kinds()


def test_the_service_monitor_is_off_unless_asked_for(helm_program: Path) -> None:
    assert "ServiceMonitor" not in render(helm_program).kinds()
    rendered = render(helm_program, metrics__serviceMonitor__create=True)
    selected = rendered.find("ServiceMonitor", RELEASE)["spec"]["selector"]["matchLabels"]
    assert selected.items() <= rendered.find("Service", f"{RELEASE}-metrics")["metadata"]["labels"].items()


def test_the_default_images_are_of_this_version() -> None:
    version = yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"]
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    assert values["operator"]["image"]["name"] == f"mlmodel-operator:{version}"
    assert values["modelServer"]["image"]["name"] == f"mlmodel-server:{version}"
