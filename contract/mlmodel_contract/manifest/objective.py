"""``spec.objective``: what the business wants, in numbers.

Not here: how a figure comes about.
"""

from enum import StrEnum

from pydantic import Field

from ..base import ColumnName, Document
from ..quality_metrics import Metric
from .rules import Rule, cel, map_list


class Criterion(Document):
    """A bound that is promised of every version, and that live labelled predictions are held to."""

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


class OnMiss(StrEnum):
    """What happens where no version keeps the criteria."""

    SERVE_BEST = "ServeBest"
    KEEP_LIVE = "KeepLive"


class Outcomes(Document):
    """What each outcome of a yes-or-no prediction is worth; a loss is negative. The second class, in order, is the positive one."""

    true_positive: float = Field(0.0, description="Predicted positive, and it is.")
    false_positive: float = Field(0.0, description="Predicted positive, and it is not.")
    true_negative: float = Field(0.0, description="Predicted negative, and it is.")
    false_negative: float = Field(0.0, description="Predicted negative, and it is positive.")


class Value(Document):
    """What a prediction is worth to the business: exactly one of outcomes, column and perUnitError."""

    model_config = {
        "json_schema_extra": cel(
            Rule(
                "[has(self.outcomes), has(self.column), has(self.perUnitError)].filter(given, given).size() == 1",
                "objective.value needs exactly one of outcomes, column and perUnitError",
            ),
        )
    }

    outcomes: Outcomes | None = Field(
        None,
        description="An amount for each of the four outcomes of two classes; a prediction counts as positive where that is worth more.",
    )
    column: ColumnName | None = Field(
        None, description="A column of type number with the amount that a right prediction of its row earns; a wrong one earns nothing."
    )
    per_unit_error: float | None = Field(None, gt=0, description="What one unit of absolute error costs, for a Regression.")
    currency: str = Field("", max_length=8, description="What amounts are in, such as EUR, for people.")


class Objective(Document):
    """Design: what the business wants, in numbers."""

    description: str = Field("", max_length=2000, description="What the model is for, in a sentence that a stakeholder understands.")
    owner: str = Field("", max_length=253, description="Who answers for the objective: a team or a person.")
    criteria: list[Criterion] = Field(
        min_length=1,
        max_length=7,
        description="Bounds that are promised: on labelled rows that a version has not seen, and on live predictions.",
        json_schema_extra=map_list("metric"),
    )
    slices: list[Slice] = Field(
        default_factory=list,
        max_length=5,
        description="Columns in whose every group the criteria must hold too.",
        json_schema_extra=map_list("column"),
    )
    on_miss: OnMiss = Field(
        OnMiss.SERVE_BEST,
        description="Where a version is shown to miss a criterion: ServeBest serves the best there is all the same, and the condition "
        "ObjectiveMet and an alert say so; KeepLive refuses it, and nothing changes.",
    )
    value: Value | None = Field(None, description="What a prediction is worth, so that status, explanations and plots speak money.")
