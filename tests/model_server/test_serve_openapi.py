"""The server does what its OpenAPI description says, whatever is sent to it, and the page needs nothing from elsewhere."""

import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi import checks

from tests.lengths import length
from tests.model_server.bundles import late_flights, minutes, species
from tests.model_server.pods import Pod, pod

pytestmark = [pytest.mark.slow, pytest.mark.exhaustive]
KEPT = [not_a_server_error, checks.status_code_conformance, checks.content_type_conformance, checks.response_schema_conformance]
EXAMPLES = length(15, 500)


@pytest.fixture(scope="module", params=[late_flights, minutes, species], ids=["flights", "minutes", "species"])
def described(request: pytest.FixtureRequest) -> Iterator[Pod]:
    with pod(request.param()) as made:
        made.start_both()
        yield made
        assert made.served("requests_total", code="500") == 0


def operations(made: Pod) -> Iterator[Any]:
    schema = schemathesis.openapi.from_url(f"{made.url}/openapi.json")
    results: Iterator[Any] = schema.get_all_operations()
    for result in results:
        yield result.ok()


def answered(case: Any, made: Pod) -> None:
    response = case.call(base_url=made.url, timeout=30)
    case.validate_response(response, checks=KEPT)
    assert response.status_code < 500


def test_whatever_is_sent_is_answered_as_described(described: Pod) -> None:
    rules = settings(max_examples=EXAMPLES, deadline=None, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    for operation in operations(described):
        for mode in GenerationMode if operation.body else (GenerationMode.POSITIVE,):
            rules(given(case=operation.as_strategy(generation_mode=mode), made=st.just(described))(answered))()


def test_the_examples_of_the_description_are_predicted(described: Pod) -> None:
    description = described.http.get(f"{described.url}/openapi.json").json()
    tried = 0
    for path, methods in description["paths"].items():
        if path.endswith(("/infer", ":predict")):
            sample = methods["post"]["requestBody"]["content"]["application/json"]["example"]
            response = described.http.post(f"{described.url}{path}", json=sample)
            assert response.status_code == 200, response.text
            tried += 1
    assert tried == 3


def test_the_page_shows_the_columns_and_loads_nothing_from_elsewhere(described: Pod) -> None:
    response = described.http.get(f"{described.url}/docs")
    metadata = described.http.get(described.model_url).json()
    assert response.headers["content-type"].startswith("text/html")
    for tensor in [*metadata["inputs"][:2], *metadata["outputs"]]:
        assert f"<td>{tensor['name']}" in response.text
    assert not re.search(r"(src|href)=.?(https?:)?//", response.text)
    assert "default-src 'none'" in response.headers["content-security-policy"]
    assert httpx.URL(re.findall(r'href="([^"]+)"', response.text)[0]).is_relative_url
