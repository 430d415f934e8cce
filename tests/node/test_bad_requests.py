"""Bad requests through the Service to a pod of the node: a 4xx that names what is wrong, and the next good one is answered."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.node.support.manifests import Body
from tests.node.support.team import Team, output, request

MEGABYTES_10 = 10_000_000


@pytest.fixture(autouse=True)
def _answered_after_it(team: Team, steady: str) -> Any:
    yield
    assert len(output(team.predict(steady), "predict")) == 2


def changed(change: Callable[[dict[str, Body]], Any]) -> Body:
    """The good request, after a change of its tensors by name."""
    tensors = {tensor["name"]: tensor for tensor in request()["inputs"]}
    change(tensors)
    return {"inputs": list(tensors.values())}


BAD: dict[str, tuple[Body, list[str]]] = {
    "missing column": (changed(lambda tensors: tensors.pop("c")), ["'c'", "missing"]),
    "wrong type": (changed(lambda tensors: tensors["x"].update(data=[0.5, "high"])), ["'x'", "'high'", "number"]),
    "wrong shape": (changed(lambda tensors: tensors["z"].update(shape=[3])), ["'x' has 2 rows", "'z' 3", "same number of rows"]),
}


@pytest.mark.parametrize(("document", "parts"), BAD.values(), ids=BAD)
def test_a_request_that_does_not_fit_the_schema_gets_the_reason(team: Team, steady: str, document: Body, parts: list[str]) -> None:
    status, answer = team.post(steady, "infer", document)
    assert status == 400, answer
    for part in parts:
        assert part in answer["error"]


def test_ten_megabytes_of_junk_are_refused(team: Team, steady: str) -> None:
    status, answer = team.post_junk(steady, "infer", MEGABYTES_10)
    assert status == 413, answer
    assert "bytes" in answer["error"]
