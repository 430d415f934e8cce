"""TLS and callers, as the manifest asks for them: what the pods mount, what the Service says, what the server may ask."""

import json
from typing import Any

import pytest
from mlmodel_contract.environment import ENV_POD, PATH_API_KEYS, PATH_TLS, PATH_TOKEN
from mlmodel_contract.pod import PodDocument
from mlmodel_operator.cluster.cache import Ref
from mlmodel_operator.cluster.kinds import DEPLOYMENT, ROLE_BINDING, SERVICE

from tests.operator.support.manifests import Body, spec
from tests.operator.support.model_lifecycle import ModelLifecycle

REVIEWER = Ref(ROLE_BINDING, "late-server-reviewer")


def served(**serving: Any) -> ModelLifecycle:
    model = ModelLifecycle(spec(serving=serving))
    model.go_live()
    return model


def pod(model: ModelLifecycle) -> Body:
    found: Body = model.api.objects[Ref(DEPLOYMENT, "late-v1")]["spec"]["template"]["spec"]
    return found


def server(model: ModelLifecycle) -> Body:
    (found,) = pod(model)["containers"]
    return dict(found)


def mounted(model: ModelLifecycle) -> dict[str, str]:
    """Volumes of the server by the path where they are."""
    return {mount["mountPath"]: mount["name"] for mount in server(model)["volumeMounts"]}


def document(model: ModelLifecycle) -> PodDocument:
    return PodDocument.model_validate_json(next(item["value"] for item in server(model)["env"] if item["name"] == ENV_POD))


def test_with_tls_the_pair_is_mounted_and_probes_and_service_say_so() -> None:
    model = served(tls={"secret": "late-tls"})
    volume = next(volume for volume in pod(model)["volumes"] if volume["name"] == mounted(model)[PATH_TLS])
    assert volume["secret"] == {"secretName": "late-tls", "optional": True}
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert server(model)[probe]["httpGet"]["scheme"] == "HTTPS"
    for name in ("late", "late-v1"):
        ports = {port["name"]: (port["port"], port["appProtocol"]) for port in model.api.objects[Ref(SERVICE, name)]["spec"]["ports"]}
        assert ports == {"https": (443, "https"), "grpc": (8081, "https")}
    assert document(model).tls is not None


def test_with_api_keys_the_one_key_of_the_secret_is_mounted() -> None:
    model = served(authentication={"secret": {"name": "late-callers", "key": "keys"}})
    folder, _, file = PATH_API_KEYS.rpartition("/")
    volume = next(volume for volume in pod(model)["volumes"] if volume["name"] == mounted(model)[folder])
    assert volume["secret"] == {"secretName": "late-callers", "optional": True, "items": [{"key": "keys", "path": file}]}
    assert PATH_TOKEN not in mounted(model)
    assert REVIEWER not in model.api.objects


def test_with_kubernetes_the_server_has_the_pods_token_and_may_ask_until_nobody_wants_it_any_more() -> None:
    model = served(authentication={"kubernetes": {"audiences": ["flights"]}})
    assert mounted(model)[PATH_TOKEN] == "token"
    authentication = document(model).authentication
    assert authentication is not None
    assert authentication.kubernetes is not None
    assert authentication.kubernetes.audiences == ["flights"]
    binding = model.api.objects[REVIEWER]
    assert binding["roleRef"]["name"] == "mlmodel-operator-reviewer"
    assert [subject["name"] for subject in binding["subjects"]] == ["late-server"]
    model.edit(serving={})
    assert REVIEWER not in model.api.objects
    assert PATH_TOKEN not in mounted(model)


@pytest.mark.parametrize("serving", [{}, {"replicas": 1}])
def test_without_them_the_pod_is_reported_nothing_that_an_older_server_would_not_know(serving: Body) -> None:
    model = served(**serving)
    given = json.loads(next(item["value"] for item in server(model)["env"] if item["name"] == ENV_POD))
    assert given.keys().isdisjoint({"tls", "authentication"})
    assert mounted(model).keys().isdisjoint({PATH_TLS, PATH_API_KEYS.rpartition("/")[0], PATH_TOKEN})
