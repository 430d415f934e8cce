"""The operator's Prometheus metrics: its own work, and each model's state.

Not here: when they are set (``reconcile.py``), and the HTTP endpoint (``health.py``).
"""

from mlmodel_contract.status import CriterionStatus, DriftStatus, MLModelStatus
from prometheus_client import Counter, Gauge, Histogram

from .cluster.ownership import Key

_MODEL = ("namespace", "name")
_LIVE = (*_MODEL, "version")  # of the live version alone, so there are few series; a new version begins new ones

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
RUN = Gauge("mlmodel_run_info", "1 for the state of the run under way, or the last one.", [*_MODEL, "stage", "state", "reason"])
FAILED = Gauge("mlmodel_runs_failed_in_a_row", "Runs that crashed, or whose version did not start, since one ended well.", _MODEL)

LIVE = Gauge("mlmodel_live_version_info", "1 for the version that has the traffic.", _LIVE)
DRIFT = Gauge("mlmodel_drift_state", "0 none, 1 suspected, 2 confirmed.", _LIVE)
DRIFT_SEVERE = Gauge("mlmodel_drift_severe", "1 where a feature changed by half a standard deviation or more.", _LIVE)
DRIFT_TOTAL_EVIDENCE = Gauge("mlmodel_drift_total_evidence", "Log of the evidence that anything changed, at its highest.", _LIVE)
DRIFT_EVIDENCE = Gauge("mlmodel_drift_evidence", "Log of the evidence that a feature changed, of the strongest 20.", [*_LIVE, "feature"])
HARM = Gauge("mlmodel_harm_state", "0 none, 1 unknown, 2 confirmed.", _LIVE)
FEED_BROKEN = Gauge("mlmodel_feed_broken", "1 where what feeds the live rows is broken.", _LIVE)
LOSS = Gauge("mlmodel_live_loss", "Mean loss of labelled predictions of the live version.", _LIVE)
LOSS_BOUND = Gauge("mlmodel_live_loss_bound", "Lower confidence bound of the live loss; above the reference it is harm.", _LIVE)
LOSS_REFERENCE = Gauge("mlmodel_live_loss_reference", "Upper confidence bound of the loss on the live version's holdout.", _LIVE)
CRITERION = Gauge("mlmodel_criterion_value", "Live value of a criterion's metric.", [*_LIVE, "metric"])
CRITERION_MET = Gauge(
    "mlmodel_criterion_met", "1 where the live value, or without labels the holdout's, keeps the bound.", [*_LIVE, "metric", "bound"]
)
CRITERION_LOW = Gauge("mlmodel_criterion_low", "Lower end of the 95% confidence sequence of that value.", [*_LIVE, "metric"])
CRITERION_HIGH = Gauge("mlmodel_criterion_high", "Its upper end.", [*_LIVE, "metric"])
SLICES_MISSED = Gauge("mlmodel_slices_missed", "Groups of live rows in which a criterion is surely missed; the status names them.", _LIVE)
COVERAGE = Gauge("mlmodel_label_coverage", "Labelled predictions for each row whose label should be back.", _LIVE)
ROWS = Gauge("mlmodel_live_rows", "Live rows of the live version, by what became of them.", [*_LIVE, "outcome"])

_PER_MODEL = (
    *(READY, RUN, FAILED, LIVE),
    *(DRIFT, DRIFT_SEVERE, DRIFT_TOTAL_EVIDENCE, DRIFT_EVIDENCE, HARM, FEED_BROKEN),
    *(LOSS, LOSS_BOUND, LOSS_REFERENCE, CRITERION, CRITERION_MET, CRITERION_LOW, CRITERION_HIGH, SLICES_MISSED, COVERAGE, ROWS),
)
_DRIFT_STATES = {"None": 0, "Suspected": 1, "Confirmed": 2}
_HARM_STATES = {"None": 0, "Unknown": 1, "Confirmed": 2}


def set_model_metrics(key: Key, status: MLModelStatus) -> None:
    """Set a model's gauges to its status."""
    _clear(key, *_PER_MODEL)
    READY.labels(*key).set(any(condition.type == "Ready" and condition.status == "True" for condition in status.conditions))
    FAILED.labels(*key).set(status.retraining.failed_in_a_row)
    if status.run:
        RUN.labels(*key, status.run.stage, status.run.state, status.run.reason).set(1)
    if status.live:
        live = (*key, status.live.version)
        LIVE.labels(*live).set(1)
        if status.feed:
            FEED_BROKEN.labels(*live).set(status.feed.state == "Broken")
        if status.drift:
            _set_drift(live, status.drift)
            SLICES_MISSED.labels(*live).set(sum(any(one.met is False for one in group.criteria) for group in status.slices))
            _set_criteria(live, status.objective)  # without reports they may be those of the version before


def _set_drift(live: tuple[str, ...], drift: DriftStatus) -> None:
    DRIFT.labels(*live).set(_DRIFT_STATES[drift.state])
    DRIFT_SEVERE.labels(*live).set(drift.severe)
    DRIFT_TOTAL_EVIDENCE.labels(*live).set(drift.evidence)
    for feature in drift.features:
        DRIFT_EVIDENCE.labels(*live, feature.name).set(feature.evidence)
    HARM.labels(*live).set(_HARM_STATES[drift.harm])
    for gauge, loss in ((LOSS, drift.loss), (LOSS_BOUND, drift.loss_bound), (LOSS_REFERENCE, drift.loss_reference)):
        if loss is not None:
            gauge.labels(*live).set(loss)
    if drift.due:
        COVERAGE.labels(*live).set(drift.labels / drift.due)
    for outcome, rows in (("counted", drift.rows), ("missed", drift.missed), ("labelled", drift.labels)):
        ROWS.labels(*live, outcome).set(rows)


def _set_criteria(live: tuple[str, ...], objective: list[CriterionStatus]) -> None:
    for criterion in objective:
        for gauge, value in ((CRITERION, criterion.value), (CRITERION_LOW, criterion.low), (CRITERION_HIGH, criterion.high)):
            if value is not None:
                gauge.labels(*live, criterion.metric).set(value)
        if criterion.met is not None:
            CRITERION_MET.labels(*live, criterion.metric, criterion.bound).set(criterion.met)


def remove_model_metrics(key: Key) -> None:
    """Remove every series of a model that is gone."""
    _clear(key, *_PER_MODEL, DECISIONS, REPORTS_REFUSED)


def _clear(key: Key, *metrics: Gauge | Counter) -> None:
    for metric in metrics:
        metric.remove_by_labels({"namespace": key.namespace, "name": key.name})
