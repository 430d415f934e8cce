"""Who may call, asked from a pod through the Service: TLS and API keys, a certificate that is renewed, tokens that the API server reviews.

The tests are chapters, in order, on one model.
"""

import json
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from devtools.cluster import certificates
from devtools.cluster.certificates import Identity
from tests.node.in_pods.openloop import PER_SECOND
from tests.node.support import manifests
from tests.node.support.manifests import Body
from tests.node.support.openloop import open_loop
from tests.node.support.team import Team, condition

MODEL, PAIR, KEYS = "guarded", "guarded-tls", "guarded-callers"
KEY = secrets.token_hex(24)
GRPC_AGE_SECONDS = 12  # a connection of gRPC is of 10 seconds, and a tenth more or less
LET_IN, UNKNOWN, FORBIDDEN = [200, "OK"], [401, "UNAUTHENTICATED"], [403, "PERMISSION_DENIED"]

pytestmark = pytest.mark.in_order


@dataclass(frozen=True)
class Guarded:
    """The model; in the folder `pki` are an authority and the pairs `first` and `second`, which it signed for the model's Service."""

    team: Team
    pki: Path

    @property
    def host(self) -> str:
        return f"{MODEL}.{self.team.kubectl.namespace}"

    def make_pairs(self) -> None:
        identities = (Identity(name, self.host, hosts=(f"DNS:{self.host}",)) for name in ("first", "second"))
        certificates.ensure(self.pki, ("ca",), tuple(identities))

    def certificate(self, name: str) -> str:
        return certificates.certificate(self.pki, name).read_text()

    def put_pair(self, name: str) -> None:
        """Make the pair the content of the model's Secret."""
        content = {"tls.crt": self.certificate(name), "tls.key": certificates.key(self.pki, name).read_text()}
        self.team.apply(manifests.secret(PAIR, content, "kubernetes.io/tls"))

    def ask_for(self, authentication: Body) -> None:
        self.team.apply(manifests.model(MODEL, serving={"tls": {"secret": PAIR}, "authentication": authentication}))

    def call(self, callers: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
        """What callers with these headers got, and what else in_pods/call.py returns."""
        asked = {"host": self.host, "model": MODEL, "trusted": self.certificate("ca"), "callers": callers}
        return dict(json.loads(self.team.run_script("call", json.dumps(asked))))

    def pods(self) -> dict[str, Body]:
        return {pod["metadata"]["name"]: pod for pod in self.team.pods(MODEL, version=f"{MODEL}-v1")}

    def pod(self) -> str:
        """The one pod; it must be ready, and no container of it may have been started again."""
        [(name, pod)] = self.pods().items()
        status = pod["status"]
        assert condition(status, "Ready") == "True"
        assert {one["restartCount"] for one in (*status["initContainerStatuses"], *status["containerStatuses"])} == {0}
        return name


@pytest.fixture(scope="module")
def guarded(team: Team, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    made = Guarded(team, tmp_path_factory.mktemp("pki"))
    made.make_pairs()
    made.put_pair("first")
    team.apply(manifests.secret(KEYS, {"keys": KEY}))
    made.ask_for({"secret": {"name": KEYS, "key": "keys"}})
    team.wait(lambda: condition(team.status(MODEL), "Ready") == "True", f"{MODEL} is ready")
    yield made
    team.delete_models([MODEL])


def test_callers_need_tls_and_a_key_by_both_protocols(team: Team, guarded: Guarded) -> None:
    right = {"bearer": {"Authorization": f"Bearer {KEY}"}, "header": {"X-API-Key": KEY}}
    wrong = {"none": {}, "another": {"Authorization": f"Bearer {secrets.token_hex(24)}"}}
    team.wait(lambda: guarded.call(right)["got"] == dict.fromkeys(right, LET_IN), "who has the key is let in")
    said = guarded.call(wrong)
    assert said["got"] == dict.fromkeys(wrong, UNKNOWN)
    assert said["without_tls"] == [0, "UNAVAILABLE"]
    assert [port["port"] for port in team.kubectl.json("get", "service", MODEL)["spec"]["ports"]] == [443, 8081]
    assert said["certificates"] == [guarded.certificate("first")] * 2
    guarded.pod()


def test_a_certificate_is_renewed_and_no_request_fails(team: Team, guarded: Guarded) -> None:
    pod = guarded.pod()
    with open_loop(team, MODEL, TRUSTED=guarded.certificate("ca"), KEY=KEY) as client:
        answered = sum(counts["answered"] for counts in client.counts().values())
        team.wait(lambda: team.counted_rows(pod).get("counted", 0) >= answered, "the sidecar counted the rows that were answered")
        guarded.put_pair("second")
        team.kubectl("annotate", "pod", pod, "node-tests/sync=now")  # kubelet then does; by itself it takes a minute or two
        team.wait(lambda: guarded.call({})["certificates"] == [guarded.certificate("second")] * 2, "new connections get the new pair")
        client.wait_answered(GRPC_AGE_SECONDS * PER_SECOND)  # so that gRPC made a new connection, too
        client.assert_none_failed()
    assert guarded.pod() == pod


def test_callers_with_tokens_of_kubernetes(team: Team, guarded: Guarded) -> None:
    before = set(guarded.pods())
    guarded.ask_for({"kubernetes": {}})
    for account in ("web", "stranger"):
        team.kubectl("create", "serviceaccount", account)
    bound = f"--serviceaccount={team.kubectl.namespace}:web"
    team.kubectl("create", "rolebinding", "callers", "--clusterrole=mlmodel-client", bound)
    team.wait(lambda: not before & set(guarded.pods()), "the pod was replaced")
    ours = "--audience=mlmodel.dev"
    callers = {"web": _token(team, "web", ours), "stranger": _token(team, "stranger", ours), "for the API server": _token(team, "web")}
    said = guarded.call({**callers, "key": {"X-API-Key": KEY}})
    assert said["got"] == {"web": LET_IN, "stranger": FORBIDDEN, "for the API server": UNKNOWN, "key": UNKNOWN}
    guarded.pod()


def _token(team: Team, account: str, *options: str) -> dict[str, str]:
    """The headers of a caller with a new token of the ServiceAccount."""
    return {"Authorization": f"Bearer {team.kubectl('create', 'token', account, *options).strip()}"}
