"""Drift and harm: what the reports of a version's pods say, told with a false-alarm probability that holds however often one looks.

``judge`` is the whole face to the reconciler; ``Evidence`` is the memory that it keeps in between; ``DriftDetector`` and ``HarmDetector``
are the methods, each behind ``update(...) -> verdict``. Nothing here knows Kubernetes, does I/O or reads a clock. The mathematics:
``docs/drift.md``.
"""

from .detector import DriftDetector, DriftState, DriftVerdict
from .evidence import Evidence
from .harm import HarmDetector, HarmVerdict, Labelled
from .judgement import Judgement, Settings, judge
from .memory import Bucket
from .references import Correlations, FeatureReference
from .refusal import Refusal

__all__ = [
    "Bucket",
    "Correlations",
    "DriftDetector",
    "DriftState",
    "DriftVerdict",
    "Evidence",
    "FeatureReference",
    "HarmDetector",
    "HarmVerdict",
    "Judgement",
    "Labelled",
    "Refusal",
    "Settings",
    "judge",
]
