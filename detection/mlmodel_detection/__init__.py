"""Drift and harm: what the reports of a version's pods say, told with a false-alarm probability that holds however often one looks.

``evaluate`` is the whole face to the reconciler; ``Evidence`` is the memory between two calls; ``DriftDetector`` and ``HarmDetector``
are the methods, each behind ``update(...) -> verdict``. Nothing here knows Kubernetes, does I/O or reads a clock. The mathematics:
``docs/drift.md``.
"""

from .drift.detector import DriftDetector, DriftState, DriftVerdict
from .drift.detector_state import Bucket
from .drift.references import CorrelationReference, FeatureReference
from .evidence import Evidence
from .harm.detector import HarmDetector, HarmVerdict, Labelled
from .reports.refusal import RefusalReason
from .verdict import MonitoringVerdict, Settings, evaluate

__all__ = [
    "Bucket",
    "CorrelationReference",
    "DriftDetector",
    "DriftState",
    "DriftVerdict",
    "Evidence",
    "FeatureReference",
    "HarmDetector",
    "HarmVerdict",
    "Labelled",
    "MonitoringVerdict",
    "RefusalReason",
    "Settings",
    "evaluate",
]
