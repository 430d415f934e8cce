"""The monitor sidecar: counts what the server beside it predicts, scores labels, keeps rows and labels, and reports.

``counting``, ``accounting`` and ``scoring`` are pure, ``book`` joins them; ``spool``, ``capture``, ``publishing``, ``receiving`` and
``feedback`` do the I/O; ``sidecar`` runs them. Not here: serving, verdicts, scikit-learn, pandas.
"""

from .sidecar import run_monitor

__all__ = ["run_monitor"]
