"""Real streams as they came: when drift is confirmed, which features are named, and whether the loss of a model agrees.

Not here: the streams (``real_streams.py``).
"""

from pathlib import Path

import pandas as pd
from mlmodel_contract.live_loss import LossSums
from mlmodel_contract.quality_metrics import Task
from mlmodel_contract.report import MICRO, LabelCounts, RowCounts
from mlmodel_detection import HarmDetector, LabelledPredictions
from model_server.train.evaluate.evaluation import EvaluationDataset, loss_reference
from model_server.train.evaluate.losses import loss
from rich.progress import track
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder

from benchmarks.drift import real_streams
from benchmarks.drift.detection_pipeline import Floats
from benchmarks.drift.real_streams import Stream
from benchmarks.table import Row

LEVEL, _TOLERANCE = 0.005, 0.05
_BUCKET = 100
_HOLDOUT = 0.2


def verdicts(data: Path | None) -> list[Row]:
    """Test each stream's rows after the training rows, with the default settings."""
    return [_row(real_streams.load(name, data)) for name in track(_names(data), "real streams in time order")]


def evidence(data: Path | None) -> dict[str, list[tuple[int, float]]]:
    """Return the same streams' evidence for drift after each bucket, as (rows, ln of the e-value)."""
    return {name: real_streams.load(name, data).evidence(LEVEL, _TOLERANCE) for name in track(_names(data), "their evidence")}


def _names(data: Path | None) -> list[str]:
    return [*real_streams.BUNDLED, *(real_streams.SHARED if data else ())]


def _row(stream: Stream) -> Row:
    alarm = stream.first_alarm(LEVEL, _TOLERANCE)
    labels = _labels_until_harm(stream)
    loss_says = f"loss: harm confirmed after {labels:,} labels" if labels else "loss: no harm confirmed"
    if alarm is None:
        return Row(f"{stream.name}: rows until drift is confirmed", float("inf"), "rows", beside=loss_says)
    named = ", ".join(f"{name} ({change})" for name, change in zip(alarm.features[:4], alarm.changes, strict=False))
    more = f" and {len(alarm.features) - 4} more" if len(alarm.features) > 4 else ""
    axis = f"{stream.name}: rows until drift is confirmed"
    return Row(axis, alarm.row, "rows", beside=f"began at {int(alarm.since):,}; {named}{more}; {loss_says}")


def _labels_until_harm(stream: Stream) -> int | None:
    """Return after how many labels the loss of a boosted model is confirmed to be above its holdout's; None if never."""
    fitted = int(stream.train * (1 - _HOLDOUT))
    predictions, holdout = _predictions(stream, fitted), slice(fitted, stream.train)
    reference = loss_reference(EvaluationDataset(stream.task, predictions[holdout], stream.target[holdout]))
    losses = loss(stream.task, predictions, stream.target) / reference.unit**2
    detector = HarmDetector(reference, (), LEVEL)
    counted = LossSums()
    for start in range(stream.train, len(losses), _BUCKET):
        part = losses[start : start + _BUCKET]
        new = LossSums(len(part), int((part * MICRO).round().sum()), int((part**2 * MICRO).round().sum()))
        counted = counted + new
        labels = LabelCounts(rows=counted.rows, loss=counted.loss, loss_squared=counted.loss_squared)
        verdict = detector.update(LabelledPredictions(labels, new, RowCounts(counted=counted.rows, due=counted.rows)))
        if verdict.state == "Confirmed":
            return counted.rows
    return None


def _predictions(stream: Stream, fitted: int) -> Floats:
    """Return the predictions of all rows by a boosted model of the first ones."""
    table = pd.DataFrame(stream.columns)
    encode = make_column_transformer(
        (OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), sorted(stream.categories)), remainder="passthrough"
    )
    learner = HistGradientBoostingRegressor if stream.task is Task.REGRESSION else HistGradientBoostingClassifier
    model = make_pipeline(encode, learner(random_state=0)).fit(table[:fitted], stream.target[:fitted])
    predictions: Floats = model.predict(table)[:, None] if stream.task is Task.REGRESSION else model.predict_proba(table)
    return predictions
