"""Reads and writes of the Kubernetes API in plain dicts, through one asyncio client; foreign exceptions become ours here.

404 is None, 409 is ``ConflictError``, 400, 403 and 422 are ``RefusedError``, everything else ``ClusterError``.
Not here: caching, retries (the queue's) and decisions.
"""

import json
from typing import Any

import aiohttp
from kubernetes.aio import client as aio
from kubernetes.aio.client.exceptions import ApiException

from ..errors import ClusterError, ConflictError, RefusedError
from .kinds import EVENT, FIELD_MANAGER, Kind, kind_of

_TIMEOUT = 30
_APPLY = "application/apply-patch+yaml"
_ERRORS = {409: ConflictError, 400: RefusedError, 403: RefusedError, 422: RefusedError}

Body = dict[str, Any]


class Client:
    """The few calls that the operator makes."""

    def __init__(self, api: aio.ApiClient) -> None:
        self._api = api

    async def list_all(self, kind: Kind, namespace: str | None, selector: str | None = None) -> tuple[list[Body], int]:
        """Return every object of a kind, of one namespace or of all, and the resource version that the list is of."""
        items: list[Body] = []
        query = [("limit", "500")] + ([("labelSelector", selector)] if selector else [])
        continuation = ""
        while True:
            page = await self._request("GET", kind.path(namespace), query=[*query, ("continue", continuation)])
            if page is None:
                raise ClusterError(f"the API server does not know {kind.plural}.{kind.group}: install the chart's CRDs", 404)
            items += [{"apiVersion": kind.api_version, "kind": kind.name} | item for item in page["items"]]
            continuation = page["metadata"].get("continue", "")
            if not continuation:
                return items, int(page["metadata"]["resourceVersion"])

    async def get(self, kind: Kind, namespace: str, name: str) -> Body | None:
        """Return the object, None where there is none."""
        return await self._request("GET", kind.path(namespace, name))

    async def apply(self, body: Body, subresource: str | None = None) -> Body | None:
        """Server-side-apply the whole intent and return the object; None where it, or its subresource's object, is not there."""
        return await self._request(
            "PATCH", _path(body, subresource), body, [("fieldManager", FIELD_MANAGER), ("force", "true")], content_type=_APPLY
        )

    async def create(self, body: Body) -> Body | None:
        """Create the object; ConflictError where it exists."""
        metadata = body["metadata"]
        return await self._request("POST", kind_of(body).path(metadata["namespace"]), body, [("fieldManager", FIELD_MANAGER)])

    async def delete(self, kind: Kind, namespace: str, name: str, uid: str) -> None:
        """Delete that very object and what it owns; nothing where it is gone or another one of its name has come."""
        options = {"preconditions": {"uid": uid}, "propagationPolicy": "Background"}
        await self._request("DELETE", kind.path(namespace, name), options)

    async def emit(self, event: Body) -> None:
        """Record an Event."""
        await self._request("POST", EVENT.path(event["metadata"]["namespace"]), event)

    async def _request(
        self,
        method: str,
        path: str,
        body: Body | None = None,
        query: list[tuple[str, str]] | None = None,
        *,
        content_type: str = "application/json",
    ) -> Body | None:
        headers = {"Accept": "application/json", "Content-Type": content_type}
        try:
            request = await self._api.param_serialize(
                method, path, query_params=query or [], header_params=headers, body=body, auth_settings=["BearerToken"]
            )
            response = await self._api.call_api(*request, _request_timeout=_TIMEOUT)
            text: bytes = await response.read()
        except ApiException as error:
            raise _converted(error.status, error.body, f"{method} {path}") from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ClusterError(f"{method} {path}: the API server cannot be reached: {error!r}") from error
        if response.status == 404:
            return None
        if response.status >= 300:
            raise _converted(response.status, text, f"{method} {path}")
        parsed: Body = json.loads(text)
        return parsed


def _path(body: Body, subresource: str | None) -> str:
    metadata = body["metadata"]
    return kind_of(body).path(metadata["namespace"], metadata["name"], subresource)


def _converted(status: int | None, body: str | bytes | None, what: str) -> ClusterError:
    """Make our error of an answer, with the API server's own sentence where it sent one."""
    try:
        message = json.loads(body or "{}").get("message", "")
    except ValueError:
        message = ""
    kind = _ERRORS.get(status or 0, ClusterError)
    return kind(f"{what}: {status} {message}".strip(), status)
