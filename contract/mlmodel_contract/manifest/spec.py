"""``MLModel.spec``, the whole, and the rules that need more than one part of it.

Not here: status (``status.py``) and versions (``version.py``).
"""

from pydantic import Field

from ..base import Document
from .data import Data, ExternalModel
from .objective import Objective
from .operations import Monitoring, Retraining, Serving
from .rules import Rule, cel
from .training import Training


class MLModelSpec(Document):
    """What the model must achieve, where its data is, and how it may change."""

    model_config = {
        "json_schema_extra": cel(
            Rule(
                "has(self.model) != has(self.training)",
                "spec needs exactly one of model (trained elsewhere) and training (trained here)",
            ),
            Rule("!has(self.training) || has(self.data)", "spec.training needs spec.data"),
            Rule("!has(self.model) || !has(self.data)", "spec.data is what spec.training learns from: leave it out beside spec.model"),
            Rule(
                "!has(self.training) || !has(self.data) || self.data.columns.exists(c, c.name == self.data.target && "
                "(self.training.task == 'Regression' ? c.type == 'number' : c.type in ['category', 'boolean']))",
                "the target's column type must be number for a Regression, category or boolean for a Classification",
            ),
            Rule(
                "!has(self.training) || self.objective.criteria.all(c, "
                "(c.metric in ['rmse', 'mae', 'r2']) == (self.training.task == 'Regression'))",
                "objective.criteria: rmse, mae and r2 are for Regression; roc_auc, log_loss, brier_score and accuracy for Classification",
            ),
            Rule(
                "!has(self.objective.value) || !has(self.training) || "
                "(has(self.objective.value.perUnitError) == (self.training.task == 'Regression'))",
                "objective.value: perUnitError is for Regression; outcomes and column are for Classification",
            ),
            Rule(
                "!has(self.objective.value) || !has(self.objective.value.column) || (has(self.data) && "
                "self.data.columns.exists(c, c.name == self.objective.value.column && c.type == 'number'))",
                "objective.value.column must be one of data.columns of type number",
            ),
            Rule(
                "!has(self.objective.slices) || self.objective.slices.size() == 0 || (has(self.data) && "
                "self.objective.slices.all(s, self.data.columns.exists(c, c.name == s.column && c.type in ['category', 'boolean'])))",
                "objective.slices: each column must be one of data.columns of type category or boolean",
            ),
            Rule(
                "!has(self.objective.slices) || !has(self.data) || !self.data.columns.exists(c, has(c.sensitive) && c.sensitive && "
                "self.objective.slices.exists(s, s.column == c.name))",
                "objective.slices: the values of a sensitive column may not be told, so it cannot be sliced by",
            ),
        )
    }

    objective: Objective = Field(description="Design: what the business wants, in numbers.")
    model: ExternalModel | None = Field(None, description="A bundle that was trained elsewhere, in place of training.")
    data: Data | None = Field(None, description="Data preparation: where rows come from and what they must look like.")
    training: Training | None = Field(None, description="Development: candidates are trained, compared and tuned.")
    serving: Serving = Field(default_factory=Serving, description="Deployment: how many model-server pods, how large, and what they take.")
    monitoring: Monitoring = Field(default_factory=Monitoring, description="Monitoring: performance and drift.")
    retraining: Retraining = Field(default_factory=Retraining, description="Maintenance and continuous improvement: when to train anew.")
    suspend: bool = Field(False, description="Stop everything but serving.")
