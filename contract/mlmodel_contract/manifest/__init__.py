"""What a team declares: ``MLModel.spec``, a module for each part. The CRD and its field descriptions are generated from these classes."""

from .authentication import AUDIENCE, TLS, Authentication, KubernetesTokens, SecretKeySelector
from .data import Captured, Checks, Column, ColumnType, Data, ExternalModel, Source
from .objective import Criterion, Objective, OnMiss, Outcomes, Slice, Value
from .operations import (
    Autoscaling,
    BatcherSettings,
    Budget,
    Capture,
    LabelSettings,
    Monitoring,
    RequestLimits,
    Retraining,
    ServerSettings,
    Serving,
    Tracing,
    Trigger,
)
from .rules import ComputeResources, Quantity, Rule, SourceURI, cel
from .spec import MLModelSpec
from .training import Candidate, Estimator, Scalar, Search, Training, Validation, Window

__all__ = [
    "AUDIENCE",
    "TLS",
    "Authentication",
    "Autoscaling",
    "BatcherSettings",
    "Budget",
    "Candidate",
    "Capture",
    "Captured",
    "Checks",
    "Column",
    "ColumnType",
    "ComputeResources",
    "Criterion",
    "Data",
    "Estimator",
    "ExternalModel",
    "KubernetesTokens",
    "LabelSettings",
    "MLModelSpec",
    "Monitoring",
    "Objective",
    "OnMiss",
    "Outcomes",
    "Quantity",
    "RequestLimits",
    "Retraining",
    "Rule",
    "Scalar",
    "Search",
    "SecretKeySelector",
    "ServerSettings",
    "Serving",
    "Slice",
    "Source",
    "SourceURI",
    "Tracing",
    "Training",
    "Trigger",
    "Validation",
    "Value",
    "Window",
    "cel",
]
