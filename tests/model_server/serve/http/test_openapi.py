"""The server does what its OpenAPI description says, whatever is sent to it, and the page needs nothing from elsewhere."""

import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from mlmodel_contract.environment import PATH_API_KEYS
from mlmodel_contract.manifest import Authentication
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi import checks

from devtools.bundles import late_flights, minutes, species
from devtools.pods import ServerPod, pod
from tests.model_server.support.mounted_secrets import mount
from tests.model_server.support.token_review_server import Api, listening
from tests.support.lengths import length

pytestmark = [pytest.mark.slow, pytest.mark.exhaustive]
KEPT = [not_a_server_error, checks.status_code_conformance, checks.content_type_conformance, checks.response_schema_conformance]
EXAMPLES = length(15, 500)


@pytest.fixture(scope="module", params=[late_flights, minutes, species], ids=["flights", "minutes", "species"])
def described(request: pytest.FixtureRequest) -> Iterator[ServerPod]:
    with pod(request.param()) as made:
        made.start_both()
        yield made
        assert made.served("requests_total", code="500") == 0


def operations(made: ServerPod) -> Iterator[Any]:
    schema = schemathesis.openapi.from_url(f"{made.url}/openapi.json")
    results: Iterator[Any] = schema.get_all_operations()
    for result in results:
        yield result.ok()


def answered(case: Any, made: ServerPod) -> None:
    response = case.call(base_url=made.url, timeout=30)
    case.validate_response(response, checks=KEPT)
    assert response.status_code < 500


def test_whatever_is_sent_is_answered_as_described(described: ServerPod) -> None:
    rules = settings(max_examples=EXAMPLES, deadline=None, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    for operation in operations(described):
        for mode in GenerationMode if operation.body else (GenerationMode.POSITIVE,):
            rules(given(case=operation.as_strategy(generation_mode=mode), made=st.just(described))(answered))()


def test_the_examples_of_the_description_are_predicted(described: ServerPod) -> None:
    description = described.http.get(f"{described.url}/openapi.json").json()
    tried = 0
    for path, methods in description["paths"].items():
        if path.endswith(("/infer", ":predict")):
            sample = methods["post"]["requestBody"]["content"]["application/json"]["example"]
            response = described.http.post(f"{described.url}{path}", json=sample)
            assert response.status_code == 200, response.text
            tried += 1
    assert tried == 3


def test_the_page_shows_the_columns_and_loads_nothing_from_elsewhere(described: ServerPod) -> None:
    response = described.http.get(f"{described.url}/docs")
    metadata = described.http.get(described.model_url).json()
    assert response.headers["content-type"].startswith("text/html")
    for tensor in [*metadata["inputs"][:2], *metadata["outputs"]]:
        assert f"<td>{tensor['name']}" in response.text
    assert not re.search(r"(src|href)=.?(https?:)?//", response.text)
    assert "default-src 'none'" in response.headers["content-security-policy"]
    assert httpx.URL(re.findall(r'href="([^"]+)"', response.text)[0]).is_relative_url


KNOWN, FORBIDDEN = "known-by-its-owners", "known-and-forbidden"


@dataclass
class Guarded:
    """A server that asks for credentials, and its description."""

    pod: ServerPod
    description: Any

    @property
    def shown(self) -> dict[str, dict[str, str]]:
        """The headers of a known caller, by the name of their scheme."""
        schemes = self.description["components"]["securitySchemes"]
        return {name: _headers(scheme) for name, scheme in schemes.items()}

    def answers(self, headers: Mapping[str, str]) -> Iterator[tuple[str, Any, int]]:
        """Call each operation; yield its path, what is said of it, and the status."""
        for path, operations in self.description["paths"].items():
            for method, operation in operations.items():
                body = b"{}" if method == "post" else None
                answer = self.pod.http.request(method, f"{self.pod.url}{path}", headers=headers, content=body)
                yield path, operation, answer.status_code


def _headers(scheme: Mapping[str, str]) -> dict[str, str]:
    if scheme["type"] == "apiKey":
        assert scheme["in"] == "header"
        return {scheme["name"]: KNOWN}
    assert (scheme["type"], scheme["scheme"]) == ("http", "bearer")
    return {"Authorization": f"Bearer {KNOWN}"}


@pytest.fixture(scope="module", params=[{"secret": {"name": "x-keys"}}, {"kubernetes": {}}], ids=["keys", "tokens"])
def guarded(request: pytest.FixtureRequest) -> Iterator[Guarded]:
    with ExitStack() as stack:
        made = stack.enter_context(pod(species(), authentication=Authentication.model_validate(request.param)))
        if "secret" in request.param:
            folder, _, name = PATH_API_KEYS.rpartition("/")
            mount(made.path(folder), {name: KNOWN.encode()})
        else:
            stack.enter_context(listening(Api({KNOWN: "known", FORBIDDEN: "forbidden"}, allowed={"known"}), made))
        made.serve()
        answer = made.http.get(f"{made.url}/openapi.json", headers={"Authorization": f"Bearer {KNOWN}"})
        yield Guarded(made, answer.json())


def test_credentials_are_described_where_they_are_asked_for(guarded: Guarded) -> None:
    everywhere = guarded.description["security"]
    assert everywhere == [{name: []} for name in guarded.shown]
    statuses = {}
    for path, operation, status in guarded.answers({}):
        assert (status == 401) == (operation.get("security", everywhere) != []), path
        assert str(status) in operation["responses"], path
        statuses[path] = status
    assert {path for path, status in statuses.items() if status != 401} == {"/v2/health/live", "/v2/health/ready"}
    for headers in guarded.shown.values():
        assert 401 not in {status for *_, status in guarded.answers(headers)}


def test_headers_are_those_that_are_taken(guarded: Guarded) -> None:
    by_key = guarded.pod.document.authentication == Authentication.model_validate({"secret": {"name": "x-keys"}})
    assert set(guarded.shown) == ({"bearer", "apiKey"} if by_key else {"bearer"})
    for path, operation, status in guarded.answers({"Authorization": f"Bearer {FORBIDDEN}"}):
        if operation.get("security") != []:
            assert status == (401 if by_key else 403)
            assert str(status) in operation["responses"], path


def test_where_everybody_may_call_no_credentials_are_described(described: ServerPod) -> None:
    description = described.http.get(f"{described.url}/openapi.json").json()
    assert "security" not in description
    assert "securitySchemes" not in description["components"]
    for operations in description["paths"].values():
        for operation in operations.values():
            assert "security" not in operation
            assert not {"401", "403"} & set(operation["responses"])
