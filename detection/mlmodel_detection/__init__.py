"""Drift, harm and broken feeds, with a false-alarm probability that holds however often one asks.

On tables: ``TableDetector`` (``tables.py``). On reports of pods, as the operator: ``evaluate`` (``verdict.py``), with ``Evidence`` between
two calls (``evidence.py``). The detectors, each behind ``update(...) -> verdict``: ``DriftDetector`` (``drift/``), ``HarmDetector``
(``harm/``), ``FeedDetector`` (``feed.py``). Whether a report can be believed: ``reports/``. Nothing here knows Kubernetes, does I/O or
reads a clock. The mathematics: ``docs/drift.md``.
"""

from .drift.detector import DriftDetector, DriftState, DriftVerdict
from .drift.detector_state import Bucket, FeatureChange
from .evidence import Evidence
from .feed import FeedDetector, FeedVerdict
from .harm.detector import HarmDetector, HarmVerdict, LabelledPredictions
from .references import CorrelationReference, FeatureReference
from .reports.refusal import RefusalReason
from .tables import TableDetector, TableVerdict
from .verdict import MonitoringSettings, MonitoringVerdict, evaluate

__all__ = [
    "Bucket",
    "CorrelationReference",
    "DriftDetector",
    "DriftState",
    "DriftVerdict",
    "Evidence",
    "FeatureChange",
    "FeatureReference",
    "FeedDetector",
    "FeedVerdict",
    "HarmDetector",
    "HarmVerdict",
    "LabelledPredictions",
    "MonitoringSettings",
    "MonitoringVerdict",
    "RefusalReason",
    "TableDetector",
    "TableVerdict",
    "evaluate",
]
