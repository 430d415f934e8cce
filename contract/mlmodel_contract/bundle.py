"""The bundle: the folder that a version is.

``manifest.json`` names every other file with its sha256; its own sha256 is the version's digest.

Not here: reading and writing files.
"""

from typing import Annotated

from pydantic import Field

from .base import Digest, Document
from .manifest import ColumnType, Estimator
from .quality_metrics import Task
from .report import LONGEST_GROUP, MOST_GROUPS, CorrelationCounts, FeatureKind, LossReference
from .version import Metrics

MANIFEST = "manifest.json"
MODEL = "model.skops"  # the truth: the fitted scikit-learn pipeline
MODEL_ONNX = "model.onnx"  # only where it agreed with the pipeline on every holdout row
SCHEMA = "schema.json"  # BundleSchema
PROFILE = "profile.json"  # Profile
GOLDEN = "golden.json"  # GoldenRows
METRICS = "metrics.json"  # Metrics

BIN_QUANTILES = (0.001, 0.01, *(part / 32 for part in range(1, 32)), 0.99, 0.999)
"""Quantiles of the training rows that separate the slots of a number."""

MOST_CATEGORIES = 30
"""Categories of a feature that have a slot of their own: the most frequent ones."""


class SchemaColumn(Document):
    """A column that a request must or may carry."""

    name: str
    type: ColumnType
    min: float | None = None
    max: float | None = None
    sensitive: bool = False


class SliceGroup(Document):
    """A group of rows whose live metrics are counted apart: those with a value in a column of ``objective.slices``."""

    column: str
    value: str | bool

    @property
    def text(self) -> str:
        """The value as people and reports read it."""
        return str(self.value).lower() if isinstance(self.value, bool) else self.value[:LONGEST_GROUP]


class BundleSchema(Document):
    """What requests look like and what comes back."""

    task: Task
    features: list[SchemaColumn]
    target: str
    target_type: ColumnType
    time: str | None = None
    classes: list[str | bool | int] = Field(default_factory=list, description="Classification: in the order of the probabilities.")
    slices: list[SliceGroup] = Field(
        default_factory=list, max_length=MOST_GROUPS, description="The largest groups of the training rows, by the objective's slices."
    )


class SeasonalCycle(Document):
    """What a number usually is at each time, and by how much it usually differs from that.

    Both are sums over tables. A table is indexed by the hour since Monday 00:00 UTC, modulo its length; the first one counts as it is, the
    others times cosine and sine of one turn a year, of two turns, ... (a year begins with 1970, and has 365.2425 days).
    """

    level: list[list[float]] = Field(description="Mean of the value.")
    spread: list[list[float]] = Field(description="Standard deviation around it.")
    least_spread: float = Field(gt=0, description="The spread where the tables' sum is smaller.")


class FeatureProfile(Document):
    """How live values of a feature are counted into slots, and the training rows' counts.

    Numeric: slot i holds values in (edges[i-1], edges[i]], the slot after the last edge the larger ones, then missing. Of a number with a
    cycle the value is its distance from the level at the row's time, in spreads.
    Categorical: a slot for each of ``categories``, then other, then missing; a boolean is the category ``false`` or ``true``.
    """

    name: str
    kind: FeatureKind
    center: float = Field(0.0, description="A number from which the distances of a numeric feature's values are fine, such as the median.")
    edges: list[float] = Field(default_factory=list)
    cycle: SeasonalCycle | None = Field(None, description="Of a number that is compared with the same hours and seasons.")
    categories: list[str] = Field(default_factory=list)
    counts: list[int]
    effect: float = Field(1.0, description="Design effect: how many times larger dependence makes the variance of a mean.")
    slot_effects: list[float] = Field(default_factory=list, description="The same by slot; none where all are 1.")
    reference_error: float = Field(0.0, description="Variance of the counts' own error that no live rows average out, over that of a row.")


class Profile(Document):
    """The reference for live rows: training rows by slot, the prediction (on the holdout) as the last feature, the holdout's loss."""

    rows: int
    features: list[FeatureProfile]
    correlations: CorrelationCounts | None = None
    loss: LossReference


class GoldenRows(Document):
    """Rows with the predictions that every server of this bundle must give: probabilities (rows x classes) or numbers (rows x 1)."""

    rows: list[dict[str, str | bool | float | None]]
    predictions: list[list[float]]
    tolerance: float = Field(description="Largest absolute difference from them that the engine was proven to keep on all rows tried.")


class BundleManifest(Document):
    """Names every file of the bundle with its sha256, and says what made it."""

    contract: int
    version: str
    estimator: Estimator | None = None
    engine: str = Field(description="onnxruntime or scikit-learn.")
    libraries: Annotated[dict[str, str], Field(description="Versions of python, scikit-learn, numpy, skops and the others that made it.")]
    files: dict[str, Digest]
    metrics: Metrics | None = None
