"""Asking the API server whose a token is, and whether its user may call the model.

Not here: how long an answer is good (``tokens.py``).
"""

from collections.abc import Sequence
from typing import Any

import httpx
from mlmodel_contract.environment import GROUP

from ...runtime.kube_api import ApiError, InClusterApi
from ..errors import Forbidden, StartRefused, Unauthenticated, Unavailable

_SECONDS = 5.0
_TOKENS = "/apis/authentication.k8s.io/v1/tokenreviews"
_ACCESS = "/apis/authorization.k8s.io/v1/namespaces/{}/localsubjectaccessreviews"
_NO_RIGHT = "the model server may not ask the API server about callers: add its namespace '{}' to authentication.namespaces of the chart"


class _NotAllowed(Exception):
    """The server may not ask."""


class TokenReviewClient:
    """Reviews tokens for one model. A user needs the right to ``create`` ``mlmodels/predict`` of it."""

    def __init__(self, server: InClusterApi, audiences: Sequence[str], namespace: str, model: str) -> None:
        self._server = server
        self._audiences = list(audiences)
        self._namespace, self._model = namespace, model
        self._client: httpx.AsyncClient | None = None

    async def check(self) -> None:
        """Find out whether the server may ask; where the API server does not answer, that shows later.

        Raises:
            StartRefused: it may not.

        """
        try:
            await self._user("none")
        except (Unauthenticated, ApiError):
            return
        except _NotAllowed as error:
            raise StartRefused(str(error)) from error

    async def review(self, token: str) -> None:
        """Review a token; the errors are those of ``Callers.admit``."""
        try:
            user = await self._user(token)
            allowed = await self._may(user)
        except (ApiError, _NotAllowed) as error:
            raise Unavailable(f"it cannot be found out now who calls, try again: {error}") from error
        if not allowed:
            what = f"create mlmodels/predict of '{self._model}' in '{self._namespace}'"
            raise Forbidden(f"'{user.get('username')}' may not {what}: bind it to the ClusterRole mlmodel-client there")

    async def _user(self, token: str) -> dict[str, Any]:
        spec = {"token": token, "audiences": self._audiences}
        status = await self._ask(_TOKENS, {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": spec})
        good_for = status.get("audiences") or []  # none: whoever answers does not look at audiences
        if not status.get("authenticated") or not set(good_for) & set(self._audiences):
            wanted = " or ".join(self._audiences)
            raise Unauthenticated(
                f"the token is not, or no longer, one for the audience {wanted}: get one by kubectl create token --audience"
            )
        return dict(status.get("user") or {})

    async def _may(self, user: dict[str, Any]) -> bool:
        attributes = {
            "namespace": self._namespace,
            "verb": "create",
            "group": GROUP,
            "resource": "mlmodels",
            "subresource": "predict",
            "name": self._model,
        }
        who = {"user": user.get("username")} | {name: user[name] for name in ("groups", "uid", "extra") if name in user}
        review: dict[str, Any] = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "LocalSubjectAccessReview",
            "metadata": {"namespace": self._namespace},
            "spec": {**who, "resourceAttributes": attributes},
        }
        return bool((await self._ask(_ACCESS.format(self._namespace), review)).get("allowed"))

    async def _ask(self, path: str, review: dict[str, Any]) -> dict[str, Any]:
        """Return the status of a review."""
        try:
            self._client = self._client or self._server.client(_SECONDS)
            response = await self._client.post(path, json=review, headers=self._server.authorization())
        except httpx.HTTPError as error:
            raise ApiError(f"the API server does not answer: {type(error).__name__} {error}".strip()) from error
        if response.status_code == httpx.codes.FORBIDDEN:
            raise _NotAllowed(_NO_RIGHT.format(self._namespace))
        if response.is_error:
            raise ApiError(f"the API server answers {response.status_code}")
        try:
            return dict(response.json()["status"])
        except (ValueError, KeyError, TypeError) as error:
            raise ApiError("the API server answers something else than a review") from error
