"""What the server sends to the sidecar when labels come back, and the sidecar's answer: JSON over ``SOCKET_FEEDBACK``.

Not here: how ids are verified (server), or labels scored (sidecar).
"""

from typing import TypedDict

ROUTE_FEEDBACK = "/feedback"
ROUTE_MODEL_FEEDBACK = "/v2/models/{model}/feedback"
"""The server's own route for labels, at ``SOCKET_SERVER`` too."""


class LabelledPrediction(TypedDict):
    """A label whose prediction id was verified."""

    id: str
    version: str
    milliseconds: int  # of the prediction, since the epoch
    values: list[float]  # see prediction_id
    groups: list[int]
    truth: str | bool | int | float


class LabelsMessage(TypedDict):
    """The request's body."""

    labels: list[LabelledPrediction]


class Acknowledgement(TypedDict):
    """The response's body, sent once the labels are durable."""

    accepted: int
    repeated: int
