"""Drift and harm: what the reports of a version's pods say, told with a false-alarm probability that holds however often one looks.

``judge`` is the whole face to the reconciler; ``Evidence`` is the memory that it keeps in between; ``DriftDetector`` and ``HarmDetector``
are the methods, each behind ``update(...) -> verdict``. Nothing here knows Kubernetes, does I/O or reads a clock. The mathematics:
``docs/drift.md``.
"""

from .detector import Bucket, DriftDetector, DriftState, DriftVerdict, FeatureReference
from .evidence import Evidence
from .harm import HarmDetector, HarmVerdict, Labelled
from .judgement import Judgement, Settings, judge
from .reports import Refusal

__all__ = [
    "Bucket",
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
