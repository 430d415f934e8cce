"""Authentication by tokens of Kubernetes, against a fake API server and a real one."""

from collections.abc import Iterator
from typing import Any

import grpc
import httpx
import pytest
from mlmodel_contract.environment import PATH_TERMINATION, PATH_TOKEN
from mlmodel_contract.manifest import Authentication
from model_server.serve.grpc.oip import open_inference_pb2 as oip

from devtools.bundles import late_flights
from devtools.cluster.control_plane import ControlPlane
from devtools.cluster.kubectl import Kubectl
from devtools.pods import ServerPod, pod, poll
from tests.model_server.support.grpc_calls import SERVICE, typed
from tests.model_server.support.request_bodies import flights
from tests.model_server.support.token_review_server import Api, listening

pytestmark = pytest.mark.slow

BY_TOKEN = Authentication.model_validate({"kubernetes": {}})
APP, STRANGER = "system:serviceaccount:default:app", "system:serviceaccount:default:stranger"


@pytest.fixture
def api() -> Api:
    return Api(users={"app": APP, "stranger": STRANGER}, allowed={APP})


@pytest.fixture
def served(api: Api) -> Iterator[ServerPod]:
    with pod(late_flights(), authentication=BY_TOKEN) as made, listening(api, made):
        made.serve()
        yield made


def infer(made: ServerPod, token: str) -> httpx.Response:
    return made.http.post(f"{made.model_url}/infer", json=flights(1), headers={"Authorization": f"Bearer {token}"})


def rpc(made: ServerPod, token: str) -> grpc.StatusCode:
    with grpc.insecure_channel(made.grpc_address) as channel:
        method: Any = channel.unary_unary(f"/{SERVICE}/ModelInfer", request_serializer=oip.ModelInferRequest.SerializeToString)
        try:
            method(typed(flights(1)), metadata=(("authorization", f"Bearer {token}"),), timeout=30)
        except grpc.RpcError as error:
            return error.code()
    return grpc.StatusCode.OK


def test_the_api_server_says_who_may_call_and_is_asked_once(served: ServerPod, api: Api) -> None:
    for _ in range(3):
        assert infer(served, "app").status_code == 200
        assert rpc(served, "app") is grpc.StatusCode.OK
        assert infer(served, "stranger").status_code == 403
        assert rpc(served, "stranger") is grpc.StatusCode.PERMISSION_DENIED
        assert infer(served, "none-of-them").status_code == 401
        assert rpc(served, "none-of-them") is grpc.StatusCode.UNAUTHENTICATED
    assert sorted(api.reviewed) == ["app", "none", "none-of-them", "stranger"]  # the server tried one itself
    assert f"'{STRANGER}' may not create mlmodels/predict of 'x'" in infer(served, "stranger").json()["error"]
    attributes = {"group": "mlmodel.dev", "resource": "mlmodels", "subresource": "predict", "name": "x"}
    assert api.asked[0] == {"user": APP, "groups": ["g"], "resourceAttributes": {"namespace": "default", "verb": "create", **attributes}}


def test_a_token_for_another_audience_is_none(served: ServerPod, api: Api) -> None:
    api.audiences = ["another"]
    answer = infer(served, "app")
    assert answer.status_code == 401
    assert "for the audience mlmodel.dev" in answer.json()["error"]


def test_while_the_api_server_is_away_known_callers_go_on_and_others_get_a_retry_after(served: ServerPod, api: Api) -> None:
    assert infer(served, "app").status_code == 200
    api.down = True
    assert infer(served, "app").status_code == 200
    answer = infer(served, "stranger")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
    assert "it cannot be found out now who calls" in answer.json()["error"]
    assert rpc(served, "stranger") is grpc.StatusCode.UNAVAILABLE
    assert served.http.get(f"{served.url}/v2/health/ready").status_code == 200
    api.down = False
    assert infer(served, "stranger").status_code == 403


def test_a_server_that_may_not_ask_does_not_start_and_says_why(api: Api) -> None:
    api.rights = False
    with pod(late_flights(), authentication=BY_TOKEN) as made, listening(api, made):
        assert made.start("serve").wait(60) == 1
        assert "authentication.namespaces of the chart" in made.path(PATH_TERMINATION).read_text()


def test_a_server_starts_while_the_api_server_is_away(api: Api) -> None:
    api.down = True
    with pod(late_flights(), authentication=BY_TOKEN) as made, listening(api, made):
        made.serve()
        assert infer(made, "app").status_code == 503
        api.down = False
        assert infer(made, "app").status_code == 200


@pytest.fixture
def rights(kubectl: Kubectl, namespace: str) -> Iterator[dict[str, Any]]:
    """The server's account with what chart and operator give it, and an application's; returns fields of the PodDocument."""
    for account in ("x-server", "app", "stranger"):
        kubectl("create", "serviceaccount", account)
    kubectl("create", "clusterrole", f"{namespace}-tokens", "--verb=create", "--resource=tokenreviews.authentication.k8s.io")
    group = f"--group=system:serviceaccounts:{namespace}"
    kubectl("create", "clusterrolebinding", f"{namespace}-tokens", f"--clusterrole={namespace}-tokens", group)
    kubectl("create", "role", "reviewer", "--verb=create", "--resource=localsubjectaccessreviews.authorization.k8s.io")
    kubectl("create", "rolebinding", "reviewer", "--role=reviewer", f"--serviceaccount={namespace}:x-server")
    rule = {"apiGroups": ["mlmodel.dev"], "resources": ["mlmodels/predict"], "verbs": ["create"]}
    kubectl.apply({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "client"}, "rules": [rule]})
    kubectl("create", "rolebinding", "client", "--role=client", f"--serviceaccount={namespace}:app")
    yield {"namespace": namespace}
    for kind in ("clusterrolebinding", "clusterrole"):
        kubectl("delete", kind, f"{namespace}-tokens")


def test_a_real_api_server_tells_callers_apart(control_plane: ControlPlane, kubectl: Kubectl, rights: dict[str, Any]) -> None:
    def token(account: str, *options: str) -> str:
        return kubectl("create", "token", account, *options).strip()

    with pod(late_flights(), authentication=BY_TOKEN, **rights) as made:
        url = httpx.URL(control_plane.server)
        made.environment |= {"KUBERNETES_SERVICE_HOST": url.host, "KUBERNETES_SERVICE_PORT_HTTPS": str(url.port)}
        folder = made.path(PATH_TOKEN)
        folder.mkdir(parents=True)
        (folder / "ca.crt").write_bytes((control_plane.pki / "ca.crt").read_bytes())
        (folder / "token").write_text(token("x-server"))
        made.serve()
        mine = token("app", "--audience=mlmodel.dev")
        poll(lambda: infer(made, mine).status_code == 200, "the binding of the application")
        assert rpc(made, mine) is grpc.StatusCode.OK
        assert infer(made, token("app")).status_code == 401  # one for the API server
        assert infer(made, token("stranger", "--audience=mlmodel.dev")).status_code == 403
        assert infer(made, mine[:-4] + "AAAA").status_code == 401
