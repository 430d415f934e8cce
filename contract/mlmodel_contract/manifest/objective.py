"""``spec.objective``: what the business wants, in numbers.

Not here: how a figure comes about.
"""

from pydantic import Field

from ..base import ColumnName, Document
from ..quality_metrics import Metric
from .rules import Rule, cel, map_list


class Criterion(Document):
    """A bound that every version must keep before it may serve, and that live labelled predictions are held to."""

    model_config = {"json_schema_extra": cel(Rule("has(self.min) != has(self.max)", "a criterion needs exactly one of min and max"))}

    metric: Metric = Field(description="The metric that is bounded; names are scikit-learn's.")
    min: float | None = Field(None, description="The smallest value that is good enough.")
    max: float | None = Field(None, description="The largest value that is good enough.")

    def met_by(self, value: float) -> bool:
        """Tell whether the value keeps the bound."""
        return (self.min is None or value >= self.min) and (self.max is None or value <= self.max)

    def __str__(self) -> str:
        return f"{self.metric} >= {self.min:g}" if self.min is not None else f"{self.metric} <= {self.max:g}"


class Slice(Document):
    """A column whose every value is a group of rows that the criteria must hold in, too."""

    column: ColumnName = Field(description="A column of type category or boolean.")
    min_rows: int = Field(200, ge=1, description="Groups with fewer rows in the holdout are not judged.")


class Objective(Document):
    """Design: what the business wants, in numbers."""

    description: str = Field("", max_length=2000, description="What the model is for, in a sentence that a stakeholder understands.")
    owner: str = Field("", max_length=253, description="Who answers for the objective: a team or a person.")
    criteria: list[Criterion] = Field(
        min_length=1,
        max_length=7,
        description="Bounds that a version must meet on the holdout before it may serve.",
        json_schema_extra=map_list("metric"),
    )
    slices: list[Slice] = Field(
        default_factory=list,
        max_length=5,
        description="Columns in whose every group the criteria must hold too.",
        json_schema_extra=map_list("column"),
    )
