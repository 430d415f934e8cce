"""Asks the API server who the user of a token is (TokenReview), and whether that user may call the model (LocalSubjectAccessReview).

Not here: how long an answer is good (``kubernetes_token_authenticator.py``).
"""

from collections.abc import Sequence
from typing import Any

import httpx
from mlmodel_contract.environment import GROUP, PLURAL_MODELS

from ...runtime.kube_api import ApiError, InClusterApi
from ..errors import Forbidden, StartRefused, Unauthenticated, Unavailable

_TIMEOUT_SECONDS = 5.0
_REVIEWS = "/apis/authentication.k8s.io/v1/tokenreviews"
_ACCESS_REVIEWS = "/apis/authorization.k8s.io/v1/namespaces/{}/localsubjectaccessreviews"
_NO_PERMISSION = (
    "the model server may not ask the API server about callers: add its namespace '{}' to authentication.namespaces of the chart"
)


class _NoPermission(Exception):
    """The server may not create reviews."""


class TokenReviewClient:
    """Reviews tokens for one model. A user needs the right to ``create`` ``mlmodels/predict`` of it."""

    def __init__(self, server: InClusterApi, audiences: Sequence[str], namespace: str, model: str) -> None:
        self._server = server
        self._audiences = list(audiences)
        self._namespace, self._model = namespace, model
        self._client: httpx.AsyncClient | None = None

    async def check_permission(self) -> None:
        """Check that the server may create reviews; where the API server does not answer, the first call will tell.

        Raises:
            StartRefused: it may not.

        """
        try:
            await self._user("none")
        except (Unauthenticated, ApiError):
            return
        except _NoPermission as error:
            raise StartRefused(str(error)) from error

    async def review(self, token: str) -> None:
        """Return if the token's user may call the model.

        Raises:
            Unauthenticated: the token is invalid.
            Forbidden: its user may not.
            Unavailable: it cannot be decided now.

        """
        try:
            user = await self._user(token)
            allowed = await self._is_allowed(user)
        except (ApiError, _NoPermission) as error:
            raise Unavailable(f"it cannot be found out now who calls, try again: {error}") from error
        if not allowed:
            what = f"create mlmodels/predict of '{self._model}' in '{self._namespace}'"
            raise Forbidden(f"'{user.get('username')}' may not {what}: bind it to the ClusterRole mlmodel-client there")

    async def _user(self, token: str) -> dict[str, Any]:
        spec = {"token": token, "audiences": self._audiences}
        status = await self._create(_REVIEWS, {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": spec})
        audiences = status.get("audiences") or []  # none: an authenticator that ignores audiences
        if not status.get("authenticated") or not set(audiences) & set(self._audiences):
            wanted = " or ".join(self._audiences)
            raise Unauthenticated(
                f"the token is not, or no longer, one for the audience {wanted}: get one by kubectl create token --audience"
            )
        return dict(status.get("user") or {})

    async def _is_allowed(self, user: dict[str, Any]) -> bool:
        attributes = {
            "namespace": self._namespace,
            "verb": "create",
            "group": GROUP,
            "resource": PLURAL_MODELS,
            "subresource": "predict",
            "name": self._model,
        }
        subject = {"user": user.get("username")} | {name: user[name] for name in ("groups", "uid", "extra") if name in user}
        review: dict[str, Any] = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "LocalSubjectAccessReview",
            "metadata": {"namespace": self._namespace},
            "spec": {**subject, "resourceAttributes": attributes},
        }
        return bool((await self._create(_ACCESS_REVIEWS.format(self._namespace), review)).get("allowed"))

    async def _create(self, path: str, review: dict[str, Any]) -> dict[str, Any]:
        """Create a review and return its status."""
        try:
            self._client = self._client or self._server.client(_TIMEOUT_SECONDS)
            response = await self._client.post(path, json=review, headers=self._server.authorization())
        except httpx.HTTPError as error:
            raise ApiError(f"the API server does not answer: {type(error).__name__} {error}".strip()) from error
        if response.status_code == httpx.codes.FORBIDDEN:
            raise _NoPermission(_NO_PERMISSION.format(self._namespace))
        if response.is_error:
            raise ApiError(f"the API server answers {response.status_code}")
        try:
            return dict(response.json()["status"])
        except (ValueError, KeyError, TypeError) as error:
            raise ApiError("the API server answers something else than a review") from error
