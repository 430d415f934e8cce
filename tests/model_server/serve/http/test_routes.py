"""The table of routes is the one that everything else reads."""

from pathlib import Path

import pytest
from model_server.serve.http.endpoints import Endpoints
from model_server.serve.http.openapi.description import describe
from model_server.serve.http.routes import OPEN_PATHS, ROUTES, Route, inference_routes

from devtools.bundles import minutes
from tests.model_server.support.data_planes import plane


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_each_route_has_an_endpoint(route: Route) -> None:
    assert callable(getattr(Endpoints, route.endpoint))


def test_no_route_is_there_twice() -> None:
    assert len({(route.method, route.path) for route in ROUTES}) == len(ROUTES)


def test_only_health_needs_no_credentials() -> None:
    assert {"/", "/v2/health/live", "/v2/health/ready"} == OPEN_PATHS


def test_only_requests_that_bring_rows_or_labels_are_recorded() -> None:
    assert {route.endpoint for route in ROUTES if route.recorded} == {"infer", "predict", "feedback"}


def test_the_fast_path_is_found_by_the_url_that_a_client_sends() -> None:
    found = {url: route.path for url, route in inference_routes("m", "m-v1").items()}
    assert found == {
        b"/v2/models/m/infer": "/v2/models/{model}/infer",
        b"/v2/models/m/versions/m-v1/infer": "/v2/models/{model}/versions/{version}/infer",
    }


def test_what_is_described_is_routed(tmp_path: Path) -> None:
    served = plane(tmp_path, minutes())
    routed = {(route.url("x", "x-v1"), route.method.lower()) for route in ROUTES}
    described = describe(served.metadata(), served.model.schema, None)["paths"]
    assert {(path, method) for path, methods in described.items() for method in methods} <= routed
