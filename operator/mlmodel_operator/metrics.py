"""The operator's Prometheus metrics: its own work, and each model's state.

Not here: when they are set (``reconcile.py``), and the HTTP endpoint (``health.py``).
"""

from mlmodel_contract.status import MLModelStatus
from prometheus_client import Counter, Gauge, Histogram

from .cluster.cache import Key

_MODEL = ("namespace", "name")

RECONCILES = Counter("mlmodel_operator_reconciles_total", "Turns taken, by outcome.", ["outcome"])
RECONCILE_SECONDS = Histogram("mlmodel_operator_reconcile_seconds", "Length of a turn.")
WRITES = Counter("mlmodel_operator_writes_total", "Writes to the Kubernetes API.", ["verb", "kind"])
QUEUE_DEPTH = Gauge("mlmodel_operator_queue_depth", "Models whose turn is due.")
QUEUE_OLDEST_SECONDS = Gauge("mlmodel_operator_queue_oldest_seconds", "How long the model that is due for longest has waited.")
CACHED_OBJECTS = Gauge("mlmodel_operator_cached_objects", "Objects in the cache.")
RESYNC_AGE_SECONDS = Gauge("mlmodel_operator_resync_age_seconds", "Time since everything was listed last.")
LEADER = Gauge("mlmodel_operator_leader", "1 in the replica that decides.")
REPORTS_REFUSED = Counter("mlmodel_reports_refused_total", "Looks at a MonitorReport that was not counted.", [*_MODEL, "reason"])

DECISIONS = Counter("mlmodel_decisions_total", "Decisions, such as Promoted or Rejected.", [*_MODEL, "decision"])
READY = Gauge("mlmodel_ready", "1 where the model is served.", _MODEL)
LIVE = Gauge("mlmodel_live_version_info", "1 for the version that has the traffic.", [*_MODEL, "version"])
RUN = Gauge("mlmodel_run_info", "1 for the state of the run under way, or the last one.", [*_MODEL, "stage", "state", "reason"])
DRIFT = Gauge("mlmodel_drift_state", "0 none, 1 suspected, 2 confirmed.", _MODEL)
HARM = Gauge("mlmodel_harm_state", "0 none, 1 unknown, 2 confirmed.", _MODEL)
FEED_BROKEN = Gauge("mlmodel_feed_broken", "1 where what feeds the live rows is broken.", _MODEL)
DRIFT_EVIDENCE = Gauge("mlmodel_drift_evidence", "Log of the evidence that a feature changed, of the strongest 20.", [*_MODEL, "feature"])
LOSS = Gauge("mlmodel_live_loss", "Mean loss of labelled predictions of the live version.", _MODEL)
CRITERION = Gauge("mlmodel_criterion_value", "Live value of a criterion's metric.", [*_MODEL, "metric"])
ROWS = Gauge("mlmodel_live_rows", "Live rows of the live version, by what became of them.", [*_MODEL, "outcome"])

_PER_MODEL = (READY, LIVE, RUN, DRIFT, HARM, FEED_BROKEN, DRIFT_EVIDENCE, LOSS, CRITERION, ROWS)
_DRIFT_STATES = {"None": 0, "Suspected": 1, "Confirmed": 2}
_HARM_STATES = {"None": 0, "Unknown": 1, "Confirmed": 2}


def show(key: Key, status: MLModelStatus) -> None:
    """Set a model's gauges to its status."""
    _clear(key, *_PER_MODEL)
    READY.labels(*key).set(any(condition.type == "Ready" and condition.status == "True" for condition in status.conditions))
    if status.live:
        LIVE.labels(*key, status.live.version).set(1)
    if status.run:
        RUN.labels(*key, status.run.stage, status.run.state, status.run.reason).set(1)
    for criterion in status.objective:
        if criterion.value is not None:
            CRITERION.labels(*key, criterion.metric).set(criterion.value)
    if status.feed:
        FEED_BROKEN.labels(*key).set(status.feed.state == "Broken")
    if status.drift:
        DRIFT.labels(*key).set(_DRIFT_STATES[status.drift.state])
        HARM.labels(*key).set(_HARM_STATES[status.drift.harm])
        ROWS.labels(*key, "counted").set(status.drift.rows)
        ROWS.labels(*key, "missed").set(status.drift.missed)
        ROWS.labels(*key, "labelled").set(status.drift.labels)
        if status.drift.loss is not None:
            LOSS.labels(*key).set(status.drift.loss)
        for feature in status.drift.features:
            DRIFT_EVIDENCE.labels(*key, feature.name).set(feature.evidence)


def forget(key: Key) -> None:
    """Take away everything about a model that is gone."""
    _clear(key, *_PER_MODEL, DECISIONS, REPORTS_REFUSED)


def _clear(key: Key, *metrics: Gauge | Counter) -> None:
    for metric in metrics:
        metric.remove_by_labels({"namespace": key.namespace, "name": key.name})
