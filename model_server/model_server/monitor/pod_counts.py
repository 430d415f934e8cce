"""The counts of one pod, its rows and labels: saved, and made into reports.

Rows come from the receiving thread, labels from the feedback endpoint, reports from the event loop: each method takes the lock that it
needs. A count is saved before it is reported, so that a report never falls behind an earlier one. Not here: sockets, the store, and
Kubernetes.
"""

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Lock
from typing import Any

from mlmodel_contract import VERSION
from mlmodel_contract.base import format_time, parse_time
from mlmodel_contract.bundle import BundleSchema, Profile
from mlmodel_contract.report import LabelCounts, MonitorReportSpec, RecentRows, RowCounts

from ..link.labels import Acknowledgement, LabelledPrediction
from ..prediction_id.ids import signature
from .batch_merging import RowBatch, row_seconds
from .counting import RowCounter
from .label_delay import LabelDelay
from .labels import ScoredLabels, VersionLabels
from .report_pacing import CountSnapshot, should_report_early
from .row_accounting import RowAccount
from .scoring import Scorer
from .spool import QueuedLabel, Spool, Transaction

_log = logging.getLogger(__name__)
_ROWS, _LABELS = "rows", "labels"


@dataclass(frozen=True)
class Subject:
    """What is monitored. Labels are taken for ``label_delay`` seconds; those that come at all have come after the ``maturity``."""

    model: str
    version: str
    schema: BundleSchema
    profile: Profile
    label_delay: float
    maturity: LabelDelay


@dataclass
class Dropped:
    """What was lost since the sidecar started; for its metrics."""

    damaged_batches: int = 0
    unscored_labels: int = 0
    labels_without_room: int = 0


class PodCounts:
    """Counts of one pod, going on from the spool."""

    def __init__(self, subject: Subject, spool: Spool) -> None:
        self.dropped = Dropped()
        self._subject = subject
        self._spool = spool
        self._lock = Lock()
        self._counter = RowCounter(subject.profile, subject.schema)
        self._account = RowAccount(subject.maturity)
        self._scorer = Scorer(subject.schema, subject.profile.loss)
        empty = ScoredLabels.empty(subject.schema, self._scorer)
        self._labels = VersionLabels(empty, empty)
        self._sequence = 0
        self._changed = False
        self.fresh = True
        self._load()
        self._reported = self._snapshot()

    def add_rows(self, rows: RowBatch) -> None:
        """Count predicted rows; a damaged batch of them is left out and shows as missed."""
        with self._lock:
            try:
                self._count(rows)
            except (TypeError, ValueError):
                for batch in rows.split():
                    self._count_or_drop(batch)
            self._changed = True

    def add_damaged_packet(self) -> None:
        """Count a packet that could not be read."""
        self.dropped.damaged_batches += 1

    def add_labels(self, labels: Sequence[LabelledPrediction], now: float) -> Acknowledgement:
        """Score labels and queue them for the store; on return they are durable.

        Raises:
            SpoolError: they could not be saved; nothing was counted.

        """
        queued = [QueuedLabel(signature(label["id"]), label["id"], json.dumps(label["truth"]), now) for label in labels]
        with self._lock:
            with self._spool.transaction() as transaction:
                first = [transaction.add_received_id(label) for label in queued]
                scored, unscored = self._scored(labels, first)
                without_room = transaction.enqueue_labels([label for label, is_first in zip(queued, first, strict=True) if is_first])
                self._save_labels(transaction, scored)
            self._labels = scored
            self.dropped.unscored_labels += unscored
            self.dropped.labels_without_room += without_room
        return Acknowledgement(accepted=sum(first), repeated=len(first) - sum(first))

    def add_captured(self, rows: int) -> None:
        """Count rows that are in the store."""
        with self._lock:
            self._account.captured += rows
            self._changed = True

    def save(self) -> None:
        """Save the row counts, where they changed.

        Raises:
            SpoolError: they could not be saved.

        """
        with self._lock:
            if self._changed:
                with self._spool.transaction() as transaction:
                    self._save(transaction)

    def report(self, now: float) -> MonitorReportSpec:
        """Save everything and return the next report.

        Raises:
            SpoolError: it could not be saved, so nothing must be reported.

        """
        with self._lock:
            self._account.advance(now)
            labels = self._labels.advance(self._subject.maturity, now)
            self._sequence += 1
            with self._spool.transaction() as transaction:
                self._save(transaction)
                self._save_labels(transaction, labels)
                transaction.delete_received_ids(now - self._subject.label_delay)
            self._labels = labels
            self._reported = self._snapshot()
            return self._report(now)

    def should_report_early(self) -> bool:
        """Return whether what was counted since the last report should not wait for the heartbeat."""
        with self._lock:
            return should_report_early(self._subject.profile, self._snapshot(), self._reported)

    def resume(self, earlier: MonitorReportSpec | None, now: float) -> None:
        """Continue from the pod's own earlier report, which a pod whose spool was lost adds to its counts."""
        with self._lock:
            self.fresh = False
            self._changed = True
            if earlier is None or earlier.version != self._subject.version:
                return
            self._sequence = max(self._sequence, earlier.sequence)
            if self._counter.add_earlier(
                [feature.live for feature in earlier.features], earlier.products, [feature.outside for feature in earlier.features]
            ):
                self._add_earlier(earlier, now)
            else:
                _log.warning("the pod's earlier report has other slots than the bundle's profile; it is not gone on from")

    def totals(self) -> tuple[RowCounts, LabelCounts]:
        """Return the counts as they are now, for metrics."""
        with self._lock:
            return RowCounts(**self._account.rows()), self._labels.total.total

    def _count_or_drop(self, rows: RowBatch) -> None:
        try:
            self._count(rows)
        except (TypeError, ValueError):
            self.dropped.damaged_batches += 1
            _log.exception("a batch from the server cannot be counted")

    def _count(self, rows: RowBatch) -> None:
        if rows.ids:
            seconds = row_seconds(rows, self._subject.schema) if self._counter.needs_times else None
            self._counter.update(rows.columns, rows.predictions, seconds)
        for batch in rows.batches:
            self._account.add_batch(batch.server, batch.served, len(batch.ids), batch.seconds)

    def _scored(self, labels: Sequence[LabelledPrediction], first: Sequence[bool]) -> tuple[VersionLabels, int]:
        """Return the counts with these labels, and how many could not be scored."""
        scored, unscored = self._labels, 0
        for label, is_first in zip(labels, first, strict=True):
            changed = self._score(scored, label, is_first)
            unscored += changed is None
            scored = changed or scored
        return scored, unscored

    def _score(self, scored: VersionLabels, label: LabelledPrediction, is_first: bool) -> VersionLabels | None:
        if not is_first:
            return scored.with_repeated()
        if label["version"] != self._subject.version:
            return scored.with_other_version()
        return scored.add(label, self._scorer, self._subject.maturity)

    def _add_earlier(self, earlier: MonitorReportSpec, now: float) -> None:
        """Add the rows and labels of the pod before a restart."""
        parts = {self._subject.maturity.stretch(parse_time(part.before).timestamp() - 1e-3): part for part in earlier.recent or ()}
        recent = {one: ScoredLabels.from_counts(part.labels, earlier.groups, part.groups) for one, part in parts.items()}
        rows = None if earlier.recent is None else {one: part.rows for one, part in parts.items()}
        labels = self._labels.merged(earlier, recent)
        with self._spool.transaction() as transaction:
            self._save_labels(transaction, labels)
        self._labels = labels
        self._account.add_earlier(earlier.rows.model_dump(), rows, now)

    def _save_labels(self, transaction: Transaction, labels: VersionLabels) -> None:
        """Save what differs from the labels as they were saved before."""
        before = self._labels.recent
        transaction.put(_LABELS, labels.total.dump())
        changed = {stretch: scored.dump() for stretch, scored in labels.recent.items() if scored is not before.get(stretch)}
        transaction.put_recent_labels(changed, before.keys() - labels.recent.keys())

    def _save(self, transaction: Transaction) -> None:
        document = {"sequence": self._sequence, "fresh": self.fresh, "account": self._account.dump(), **self._counted()}
        transaction.put(_ROWS, document)
        self._changed = False

    def _snapshot(self) -> CountSnapshot:
        return CountSnapshot(self._counter.counts, self._counter.outside, self._labels.total.total)

    def _counted(self) -> dict[str, Any]:
        return {"features": self._counter.counts, "products": self._counter.products, "outside": self._counter.outside}

    def _load(self) -> None:
        with self._spool.transaction() as transaction:
            rows: dict[str, Any] | None = transaction.get(_ROWS)
            labels, recent = transaction.get(_LABELS), transaction.recent_labels()
        if labels is not None:
            parts = {stretch: ScoredLabels.load(scored) for stretch, scored in recent.items()}
            self._labels = VersionLabels(self._labels.empty, ScoredLabels.load(labels), parts)
        if rows is not None:
            self._sequence = rows["sequence"]
            self.fresh = rows["fresh"]
            self._account.load(rows["account"])
            self._counter.add_earlier(rows["features"], rows["products"], rows["outside"])

    def _report(self, now: float) -> MonitorReportSpec:
        return MonitorReportSpec(
            contract=VERSION,
            model=self._subject.model,
            version=self._subject.version,
            sequence=self._sequence,
            time=format_time(datetime.fromtimestamp(now, UTC), "milliseconds"),
            rows=RowCounts(**self._account.rows()),
            features=self._counter.features(),
            correlations=self._subject.profile.correlations,
            products=self._counter.products,
            labels=self._labels.total.total,
            groups=list(self._labels.total.groups),
            recent=self._recent(),
            loss_reference=self._subject.profile.loss,
        )

    def _recent(self) -> list[RecentRows]:
        recent = []
        for stretch in sorted(self._account.recent.keys() | self._labels.recent.keys()):
            labels = self._labels.within(stretch)
            end = datetime.fromtimestamp(self._subject.maturity.end(stretch), UTC)
            groups = [group.labels for group in labels.groups]
            rows = self._account.recent.get(stretch, 0)
            recent.append(RecentRows(before=format_time(end, "milliseconds"), rows=rows, labels=labels.total, groups=groups))
        return recent
