"""``MonitorReport``: the counts of one model-server pod of one version, written by its sidecar alone.

All counts are cumulative over the pod's life and whole numbers, so that adding the reports of all pods is exact under any split of the
traffic, and a lost, late or repeated report changes nothing. Not here: how a sidecar counts, or what an operator concludes.
"""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from .base import Document, Time
from .quality_metrics import Metric

MICRO = 1_000_000
"""Sums of real numbers are kept in whole millionths."""

LARGEST_LOG_LOSS = 15.0
"""Nats; a row's log loss is clipped here by trainer and sidecar, so the operator believes no larger mean."""

SCORE_BINS = 100
"""Equal bins of the histograms of a binary classification's probabilities."""

MOST_UNITS = 100.0
"""A regression's error counts as so many of its unit at most: one wild label is harm, but must not fill a sum of 64 bits."""

PREDICTION = "prediction"
"""Name of the prediction among the counted features; no column may have it (the sidecar counts it after the columns)."""

MOST_SLOTS = 64
"""Slots that a feature is counted in."""

MOST_SCORED = 20
"""Numbers whose correlations are tested: those that come first."""

LONGEST_SLOT_NAME = 40
"""Characters of a slot's name."""

MOST_GROUPS = 20
"""Groups of rows whose labels are counted apart: those with the most training rows."""

LONGEST_GROUP = 100
"""Characters of a group's value that a report has."""

MOST_RECENT = 20
"""Stretches of time whose rows are counted apart until their label delay is over."""

_MOST_PAIRS = MOST_SCORED * (MOST_SCORED - 1) // 2
_EFFECT = "How many times larger dependence between training rows makes the variance of a mean than independent rows would."


class FeatureKind(StrEnum):
    """How a feature's slots are to be read."""

    NUMERIC = "Numeric"
    CATEGORICAL = "Categorical"


class FeatureCounts(Document):
    """Rows by slot: ordered bins of a number or the most frequent categories, then other (categories only), then missing."""

    name: str = Field(max_length=63, description="The column, or 'prediction'.")
    kind: FeatureKind = Field(description="Numeric or Categorical.")
    reference: list[int] = Field(
        max_length=MOST_SLOTS, description="Rows of the training data in each slot; the last slot is missing values."
    )
    live: list[int] = Field(max_length=MOST_SLOTS, description="Live rows in each slot, in the same order.")
    outside: int = Field(0, ge=0, description="Live values outside the column's declared min and max.")
    effect: float = Field(1.0, ge=1, description=_EFFECT)
    slot_effects: list[float] = Field(default_factory=list, max_length=MOST_SLOTS, description="The same by slot; none where all are 1.")
    reference_error: float = Field(
        0.0,
        ge=0,
        description="Variance of the reference's own error that no live rows average out, in variances of one row: that of a cycle "
        "which was taken out, or of predictions by other fits.",
    )
    slots: list[Annotated[str, Field(max_length=LONGEST_SLOT_NAME)]] = Field(
        default_factory=list,
        max_length=MOST_SLOTS,
        description="Names of the slots, for people; none where they would make the report too large.",
    )


class CorrelationCounts(Document):
    """The numbers whose correlations are watched, and how their training rows were correlated.

    Lists are by pair: first with second, first with third, ..., second with third, ...
    """

    names: list[str] = Field(min_length=2, max_length=MOST_SCORED, description="The columns.")
    rows: int = Field(ge=1, description="Training rows.")
    products: list[int] = Field(description="Sum over the training rows of the product of the two location scores.", max_length=_MOST_PAIRS)
    cumulants: list[list[int]] = Field(
        description="For each change of the correlation that is looked for, ln E exp of its centred log likelihood ratio over the training "
        "rows, in millionths.",
        max_length=_MOST_PAIRS,
    )
    effects: list[float] = Field(description="Design effect of the product.", max_length=_MOST_PAIRS)
    dense_effect: float = Field(1.0, ge=1, description="Design effect of all locations together.")


class LossReference(Document):
    """The loss on the holdout that live loss is held against: that of ``training.selectBy``, as ``live_loss.py`` has it."""

    metric: Metric | None = Field(
        None,
        description="Its loss of a row: log loss in nats, squared error (brier_score, rmse, r2), absolute error (mae), whether the class "
        "is wrong (accuracy), or the share of the holdout's rows of the other class that a row is on the wrong side of (roc_auc). "
        "None: log loss, or squared error.",
    )

    rows: int = Field(ge=0, description="Holdout rows.")
    mean: float = Field(description="Mean loss.")
    variance: float = Field(ge=0, description="Variance of one row's loss.")
    design_effect: float = Field(
        1.0,
        ge=1,
        description="How many times larger dependence makes the variance of the mean than independent rows would.",
    )
    unit: float = Field(
        1.0,
        gt=0,
        description="Regression: errors and true numbers are counted in this unit, a power of ten about the holdout's rmse.",
    )
    center: float = Field(0.0, description="Regression: true numbers are counted from here, the holdout's mean.")
    scores_of_negatives: list[int] = Field(
        default_factory=list,
        max_length=SCORE_BINS,
        description=f"roc_auc: the holdout's rows by probability in {SCORE_BINS} equal bins, truth negative.",
    )
    scores_of_positives: list[int] = Field(default_factory=list, max_length=SCORE_BINS, description="The same where the truth is positive.")


class LabelCounts(Document):
    """Labelled predictions of this version that came back to this pod; a regression's sums are in the unit of its ``LossReference``."""

    rows: int = Field(0, ge=0, description="Labels counted; each prediction once.")
    repeated: int = Field(0, ge=0, description="Labels for a prediction that already had one; not counted.")
    other_version: int = Field(0, ge=0, description="Labels for other versions' predictions; kept for retraining, not counted here.")
    loss: int = Field(0, description=f"Sum of the loss, millionths; log loss in nats (clipped at {LARGEST_LOG_LOSS:g}), or squared error.")
    loss_squared: int = Field(0, ge=0, description="Sum of the squared loss, millionths.")
    correct: int = Field(0, ge=0, description="Right labels (classification).")
    squared_error: int = Field(0, ge=0, description="Sum of squared errors, millionths: of the probability, or of the number.")
    absolute_error: int = Field(0, ge=0, description="Sum of absolute errors, millionths (regression).")
    truth: int = Field(0, description="Sum of the true numbers, from the reference's center, millionths (regression).")
    truth_squared: int = Field(0, ge=0, description="Sum of their squares, millionths (regression).")
    scores_of_negatives: list[int] = Field(
        default_factory=list,
        max_length=SCORE_BINS,
        description=f"Binary: rows by probability in {SCORE_BINS} equal bins, truth negative.",
    )
    scores_of_positives: list[int] = Field(default_factory=list, max_length=SCORE_BINS, description="The same where the truth is positive.")


class GroupCounts(Document):
    """Labelled predictions of one group of rows, such as the flights from one airport; they are counted in the whole too."""

    column: str = Field(max_length=63, description="A column of the objective's slices.")
    value: str = Field(max_length=LONGEST_GROUP, description="The value that the group's rows have there.")
    labels: LabelCounts = Field(default_factory=LabelCounts, description="Labelled predictions of the group.")


class RecentRows(Document):
    """Counted rows that were predicted within a stretch of time, and their labels that came; stretches are the same in each pod."""

    before: Time = Field(description="End of the stretch, RFC 3339.")
    rows: int = Field(0, ge=0, description="Counted rows.")
    labels: LabelCounts = Field(default_factory=LabelCounts, description="Labelled predictions; they are counted in the whole too.")
    groups: list[LabelCounts] = Field(
        default_factory=list, max_length=MOST_GROUPS, description="Labelled predictions by the objective's slices, in the order of groups."
    )


class RowCounts(Document):
    """What happened to the rows that the server predicted."""

    served: int = Field(0, ge=0, description="Rows that the server predicted, by the server's own count.")
    counted: int = Field(0, ge=0, description="Rows that the sidecar counted.")
    missed: int = Field(0, ge=0, description="Served rows that never reached the sidecar: it lagged or was dead.")
    captured: int = Field(0, ge=0, description="Rows written to the store.")
    due: int = Field(0, ge=0, description="Counted rows whose label delay is over.")


class MonitorReportSpec(Document):
    """What one pod has seen so far."""

    contract: int = Field(description="Version of the contract.")
    model: str = Field(max_length=253, description="Name of the MLModel.")
    version: str = Field(max_length=253, description="Name of the ModelVersion that the pod serves.")
    sequence: int = Field(ge=0, description="Grows with every report of the pod, also over restarts of its sidecar.")
    time: Time = Field(description="When the report was made, RFC 3339.")
    rows: RowCounts = Field(default_factory=RowCounts, description="What happened to the rows that the server predicted.")
    features: list[FeatureCounts] = Field(default_factory=list, max_length=257, description="Counts by feature, the prediction last.")
    correlations: CorrelationCounts | None = Field(
        None, description="The numbers whose correlations are watched; none with few training rows."
    )
    products: list[int] = Field(
        default_factory=list,
        max_length=_MOST_PAIRS,
        description="Sum over the live rows of the product of the two location scores, by pair of correlations.names.",
    )
    labels: LabelCounts = Field(default_factory=LabelCounts, description="Labelled predictions.")
    groups: list[GroupCounts] = Field(
        default_factory=list, max_length=MOST_GROUPS, description="Labelled predictions by the objective's slices, the same in each pod."
    )
    recent: list[RecentRows] | None = Field(
        None,
        max_length=MOST_RECENT,
        description="The rows whose label delay is not over, or not for long. Reports of 0.1 have none: there all labels count at once.",
    )
    loss_reference: LossReference | None = Field(None, description="The holdout's loss, from the bundle.")
