"""The monitor sidecar: counts what the server beside it predicts, scores labels, stores rows and labels, and reports.

``counting``, ``row_accounting`` and ``scoring`` are pure, ``pod_counts`` joins them; ``spool``, ``capture``, ``report_publisher``,
``row_receiver`` and ``feedback`` do the I/O; ``sidecar`` runs them. Not here: serving, verdicts, scikit-learn, pandas.
"""

from .sidecar import run_monitor

__all__ = ["run_monitor"]
