"""The pod's own MonitorReport in the Kubernetes API: read once, then applied again and again.

Not here: what is in the report, and when it is made.
"""

from collections.abc import Callable
from typing import Any

import httpx
import orjson
from mlmodel_contract.environment import API_VERSION, GROUP, LABEL_MANAGED_BY, LABEL_MODEL, LABEL_VERSION, MANAGER, PLURAL_REPORTS
from mlmodel_contract.pod import PodDocument
from mlmodel_contract.report import MonitorReportSpec
from pydantic import ValidationError

from ..runtime.kube_api import ApiError

FIELD_MANAGER = "mlmodel-monitor"


class ReportPublisher:
    """Reads and applies the report of one pod."""

    def __init__(self, document: PodDocument, pod: str, client: Callable[[], httpx.AsyncClient]) -> None:
        self._document = document
        self._pod = pod
        self._client = client
        self._path = f"/apis/{GROUP}/{API_VERSION}/namespaces/{document.namespace}/{PLURAL_REPORTS}/{pod}"

    async def read(self) -> MonitorReportSpec | None:
        """Return the pod's earlier report, None where there is none of this contract.

        Raises:
            ApiError: the API server does not answer, or refuses.

        """
        response = await self._send("GET", {}, None)
        if response.status_code == httpx.codes.NOT_FOUND:
            return None
        self._check(response)
        try:
            return MonitorReportSpec.model_validate(response.json().get("spec"))
        except (ValidationError, ValueError):
            return None

    async def apply(self, report: MonitorReportSpec) -> None:
        """Write the report.

        Raises:
            ApiError: the API server does not answer, or refuses.

        """
        parameters = {"fieldManager": FIELD_MANAGER, "force": "true"}
        self._check(await self._send("PATCH", parameters, orjson.dumps(self.manifest(report))))

    def manifest(self, report: MonitorReportSpec) -> dict[str, Any]:
        """Return the whole object; it goes when its ModelVersion goes."""
        owner = {
            "apiVersion": f"{GROUP}/{API_VERSION}",
            "kind": "ModelVersion",
            "name": self._document.version,
            "uid": self._document.version_uid,
        }
        return {
            "apiVersion": f"{GROUP}/{API_VERSION}",
            "kind": "MonitorReport",
            "metadata": {
                "name": self._pod,
                "namespace": self._document.namespace,
                "labels": {LABEL_MODEL: self._document.model, LABEL_VERSION: self._document.version, LABEL_MANAGED_BY: MANAGER},
                "ownerReferences": [owner],
            },
            "spec": report.wire(),
        }

    async def _send(self, method: str, parameters: dict[str, str], content: bytes | None) -> httpx.Response:
        headers = {"Content-Type": "application/apply-patch+yaml"} if content else {}
        try:
            async with self._client() as client:
                return await client.request(method, self._path, params=parameters, content=content, headers=headers)
        except (httpx.HTTPError, OSError) as error:
            raise ApiError(f"the API server does not answer: {type(error).__name__} {error}") from error

    def _check(self, response: httpx.Response) -> None:
        if response.is_error:
            raise ApiError(f"the API server refuses {response.request.method} of MonitorReport {self._pod}: {response.text[:500]}")
