"""Labels that come back: read, and verified against their prediction ids.

Not here: how they reach the sidecar (``label_forwarder.py``), losses, and what is done with a stored label.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from mlmodel_contract.bundle import BundleSchema
from mlmodel_contract.manifest import ColumnType
from mlmodel_contract.quality_metrics import Task

from ..link.labels import LabelledPrediction
from ..prediction_id.ids import IdError, verify
from .errors import InvalidRequest, TooLarge

_MAX_LABELS = 10_000
_MAX_ID_LENGTH = 200  # of a refused id in the answer
_MAX_TRUTH = 3.4e38
_MAX_CLOCK_SKEW_SECONDS = 300


@dataclass(frozen=True)
class Rejected:
    """A label that was refused, and why."""

    id: str
    error: str


@dataclass(frozen=True)
class Feedback:
    """The labels of a request, accepted or rejected."""

    accepted: list[LabelledPrediction] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)


class FeedbackPlane:
    """Verifies labels; knows no transport. ``label_delay`` is in seconds, ``clock`` in seconds since 1970."""

    def __init__(self, schema: BundleSchema, key: bytes, label_delay: float, clock: Callable[[], float] = time.time) -> None:
        self._key = key
        self._label_delay = label_delay
        self._clock = clock
        self._is_valid, self._expected = _truth_rule(schema)

    def read(self, document: dict[str, Any]) -> Feedback:
        """Accept or reject each label of a request.

        Args:
            document: ``{"id": ..., "truth": ...}`` or ``{"labels": [{"id": ..., "truth": ...}, ...]}``.

        Raises:
            InvalidRequest: the document is neither of both.
            TooLarge: more labels than one request may have.

        """
        feedback = Feedback()
        for item in _items(document):
            prediction_id = item.get("id")
            if not isinstance(prediction_id, str):
                raise InvalidRequest("each label needs 'id', the prediction id that the model's response gave, and 'truth'")
            try:
                feedback.accepted.append(self._label(prediction_id, item.get("truth")))
            except (IdError, InvalidRequest) as error:
                feedback.rejected.append(Rejected(prediction_id[:_MAX_ID_LENGTH], str(error)))
        return feedback

    def _label(self, prediction_id: str, truth: Any) -> LabelledPrediction:
        prediction = verify(self._key, prediction_id)
        age = self._clock() - prediction.milliseconds / 1000
        if age > self._label_delay:
            raise InvalidRequest(
                f"the prediction is {age:.0f} s old, labels are taken for {self._label_delay:.0f} s: raise spec.monitoring.labels.maxDelay"
            )
        if age < -_MAX_CLOCK_SKEW_SECONDS:
            raise InvalidRequest("the prediction's time lies in the future: set the clocks of the nodes")
        if truth is None or not self._is_valid(truth):
            raise InvalidRequest(f"'truth' must be {self._expected}")
        return LabelledPrediction(
            id=prediction_id,
            version=prediction.version,
            milliseconds=prediction.milliseconds,
            values=list(prediction.values),
            groups=list(prediction.groups),
            truth=truth,
        )


def _items(document: dict[str, Any]) -> list[dict[str, Any]]:
    labels = document.get("labels") if "labels" in document else [document]
    if not isinstance(labels, list) or not labels or any(not isinstance(item, dict) for item in labels):
        raise InvalidRequest("'labels' must be a list of objects with id and truth")
    if len(labels) > _MAX_LABELS:
        raise TooLarge(f"the request has {len(labels)} labels, at most {_MAX_LABELS} are taken at once: split it")
    return labels


def _truth_rule(schema: BundleSchema) -> tuple[Callable[[Any], bool], str]:
    """Return the check of a truth, and its description for the caller. A class that the model was not trained on is valid, too."""
    name = f"the value of '{schema.target}'"
    if schema.task is Task.REGRESSION:
        return _is_number, f"{name}: a finite number"
    if schema.target_type is ColumnType.BOOLEAN:
        return lambda truth: type(truth) is bool, f"{name}: true or false"
    if schema.target_type is ColumnType.NUMBER:
        return lambda truth: type(truth) is int, f"{name}: a whole number"
    return lambda truth: isinstance(truth, str), f"{name}: text"


def _is_number(truth: Any) -> bool:
    return type(truth) in (int, float) and math.isfinite(truth) and abs(truth) < _MAX_TRUTH
