"""The boundary to the API: what an answer of the API server becomes."""

import json
from typing import Any, cast

import pytest
from kubernetes.aio import client as aio
from kubernetes.aio.client.exceptions import ApiException
from mlmodel_operator.cluster.client import Client
from mlmodel_operator.errors import ClusterError, ConflictError, RefusedError

from tests.operator.support.model_lifecycle import finished

SERVICE = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "late", "namespace": "team"}}


class Answering:
    """An ApiClient whose server answers every request with an error."""

    def __init__(self, status: int) -> None:
        self._status = status

    async def param_serialize(self, *_: Any, **__: Any) -> tuple[()]:
        return ()

    async def call_api(self, **_: Any) -> Any:
        error = ApiException(status=self._status)
        error.body = json.dumps({"message": "spec.ports: Required value"})
        raise error


@pytest.mark.parametrize(
    ("status", "error"),
    [(400, RefusedError), (403, RefusedError), (409, ConflictError), (422, RefusedError), (500, ClusterError), (503, ClusterError)],
)
def test_an_error_tells_whether_this_object_or_the_whole_request_failed(status: int, error: type[ClusterError]) -> None:
    client = Client(cast(aio.ApiClient, Answering(status)))
    with pytest.raises(ClusterError, match=f"{status} spec.ports: Required value") as raised:
        finished(client.apply(SERVICE))
    assert (type(raised.value), raised.value.status) == (error, status)
