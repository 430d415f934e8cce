"""Labels that come back: read, verified against their prediction ids, and forwarded to the sidecar, which keeps them.

``FeedbackPlane`` decides and knows no transport; ``LabelForwarder`` talks to the sidecar.
Not here: losses, and what is done with a kept label.
"""

import asyncio
import logging
import math
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
from mlmodel_contract.bundle import BundleSchema
from mlmodel_contract.manifest import ColumnType
from mlmodel_contract.quality_metrics import Task

from ..link.labels import ROUTE_FEEDBACK, Acknowledgement, LabelledPrediction
from ..prediction_id.ids import IdError, verify
from .errors import InvalidRequest, TooLarge, Unavailable

if TYPE_CHECKING:
    import httpx

_log = logging.getLogger(__name__)
_SECONDS = 10.0
_MAX_LABELS = 10_000
_LARGEST = 3.4e38
_CLOCKS_DIFFER_SECONDS = 300


@dataclass(frozen=True)
class Rejected:
    """A label that was not taken, and why."""

    id: str
    error: str


@dataclass(frozen=True)
class Feedback:
    """The labels of a request, told apart."""

    accepted: list[LabelledPrediction] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)


class FeedbackPlane:
    """Verifies labels. ``label_delay`` is in seconds."""

    def __init__(self, schema: BundleSchema, key: bytes, label_delay: float, clock: Callable[[], float] = time.time) -> None:
        self._key = key
        self._label_delay = label_delay
        self._clock = clock
        self._fits, self._wanted = _truth_rule(schema)

    def read(self, document: dict[str, Any]) -> Feedback:
        """Tell good labels from bad ones.

        Args:
            document: ``{"id": ..., "truth": ...}`` or ``{"labels": [{"id": ..., "truth": ...}, ...]}``.

        Raises:
            InvalidRequest: the document is neither of both.
            TooLarge: more labels than are taken at once.

        """
        feedback = Feedback()
        for item in _items(document):
            identity = item.get("id")
            if not isinstance(identity, str):
                raise InvalidRequest("each label needs 'id', the prediction id that the model's response gave, and 'truth'")
            try:
                feedback.accepted.append(self._label(identity, item.get("truth")))
            except (IdError, InvalidRequest) as error:
                feedback.rejected.append(Rejected(identity[:200], str(error)))
        return feedback

    def _label(self, identity: str, truth: Any) -> LabelledPrediction:
        prediction = verify(self._key, identity)
        age = self._clock() - prediction.milliseconds / 1000
        if age > self._label_delay:
            raise InvalidRequest(
                f"the prediction is {age:.0f} s old, labels are taken for {self._label_delay:.0f} s: raise spec.monitoring.labels.maxDelay"
            )
        if age < -_CLOCKS_DIFFER_SECONDS:
            raise InvalidRequest("the prediction's time lies in the future: set the clocks of the nodes")
        if truth is None or not self._fits(truth):
            raise InvalidRequest(f"'truth' must be {self._wanted}")
        return LabelledPrediction(
            id=identity, version=prediction.version, values=list(prediction.values), groups=list(prediction.groups), truth=truth
        )


class LabelForwarder:
    """Hands labels to the sidecar, at its socket, and waits until they are durable there.

    httpx is imported with the first labels, in a thread: it is large, and a server must be ready soon.
    """

    def __init__(self, socket: Path) -> None:
        self._socket = str(socket)
        self._client: httpx.AsyncClient | None = None

    async def forward(self, labels: list[LabelledPrediction]) -> Acknowledgement:
        """Send labels.

        Raises:
            Unavailable: the sidecar does not answer or cannot keep them; they may be sent again.

        """
        if self._client is None:
            await asyncio.to_thread(import_module, "httpx")
        from httpx import HTTPError

        try:
            response = await self._connected().post(ROUTE_FEEDBACK, content=orjson.dumps({"labels": labels}))
            response.raise_for_status()
            acknowledgement: Acknowledgement = response.json()
        except (HTTPError, ValueError) as error:
            _log.warning("%d labels could not be handed to the monitor: %s %s", len(labels), type(error).__name__, error)
            raise Unavailable("the monitor does not take labels now: send them again") from error
        return acknowledgement

    async def aclose(self) -> None:
        """Close the connection."""
        if self._client is not None:
            await self._client.aclose()

    def _connected(self) -> "httpx.AsyncClient":
        if self._client is None:
            from httpx import AsyncClient, AsyncHTTPTransport

            without_certificates = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # to read them takes long, and none are needed for a socket
            transport = AsyncHTTPTransport(uds=self._socket, verify=without_certificates)
            self._client = AsyncClient(transport=transport, base_url="http://monitor", timeout=_SECONDS)
        return self._client


def _items(document: dict[str, Any]) -> list[dict[str, Any]]:
    labels = document.get("labels") if "labels" in document else [document]
    if not isinstance(labels, list) or not labels or any(not isinstance(item, dict) for item in labels):
        raise InvalidRequest("'labels' must be a list of objects with id and truth")
    if len(labels) > _MAX_LABELS:
        raise TooLarge(f"the request has {len(labels)} labels, at most {_MAX_LABELS} are taken at once: split it")
    return labels


def _truth_rule(schema: BundleSchema) -> tuple[Callable[[Any], bool], str]:
    """Return the check of a truth, and what a truth must be in words. A class that the model has never seen is a truth, too."""
    name = f"the value of '{schema.target}'"
    if schema.task is Task.REGRESSION:
        return _is_number, f"{name}: a finite number"
    if schema.target_type is ColumnType.BOOLEAN:
        return lambda truth: type(truth) is bool, f"{name}: true or false"
    if schema.target_type is ColumnType.NUMBER:
        return lambda truth: type(truth) is int, f"{name}: a whole number"
    return lambda truth: isinstance(truth, str), f"{name}: text"


def _is_number(truth: Any) -> bool:
    return type(truth) in (int, float) and math.isfinite(truth) and abs(truth) < _LARGEST
