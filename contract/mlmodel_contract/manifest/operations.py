"""``spec.serving``, ``spec.monitoring``, ``spec.retraining``: how a model serves, is watched and may change.

Not here: what it learns from and how.
"""

from enum import StrEnum
from typing import Any

from pydantic import Field

from ..base import Document, Duration, duration
from .authentication import TLS, Authentication
from .rules import ComputeResources, Rule, between, cel


class Autoscaling(Document):
    """The shape of autoscaling/v2, from which a HorizontalPodAutoscaler is made."""

    model_config = {
        "json_schema_extra": cel(
            Rule(
                "!has(self.minReplicas) || self.minReplicas <= self.maxReplicas",
                "autoscaling.minReplicas must not exceed autoscaling.maxReplicas",
            )
        )
    }

    min_replicas: int = Field(1, ge=1, le=1000, description="Fewest pods.")
    max_replicas: int = Field(ge=1, le=1000, description="Most pods.")
    metrics: list[dict[str, Any]] = Field(
        default_factory=list, max_length=10, description="autoscaling/v2 metrics; 80% of the requested CPU by default."
    )
    behavior: dict[str, Any] | None = Field(None, description="autoscaling/v2 behavior.")


class Tracing(Document):
    """Spans of requests, sent to an OpenTelemetry collector. A collector that is away loses spans, and no request waits for it."""

    endpoint: str = Field(
        max_length=255,
        description="Address of the collector: by OTLP over gRPC on port 4317, and over HTTP (path /v1/traces by default) on any other. "
        "http or https, such as http://collector.observability:4317.",
        json_schema_extra=cel(
            Rule(
                "isURL(self) && url(self).getScheme() in ['http', 'https'] && url(self).getHostname() != '' && !self.matches('[@?#]') && "
                "(url(self).getPort() == '' || (int(url(self).getPort()) > 0 && int(url(self).getPort()) < 65536))",
                "serving.tracing.endpoint: write http:// or https://, a host, its port and nothing else but a path, "
                "such as http://collector.observability:4317",
            )
        ),
    )
    sample_ratio: float = Field(
        0.01,
        ge=0,
        le=1,
        description="Share of the requests without a traceparent that have spans; one that has it is kept or not as its caller decided.",
    )


class BatcherSettings(Document):
    """What is computed together, under the names that KServe has for it."""

    model_config = {"json_schema_extra": cel(between("maxLatency", "0s", "1s", "batcher.maxLatency must be from 0s to 1s, such as 2ms"))}

    max_batch_size: int = Field(
        1024, ge=1, le=65_536, description="Most rows that are computed together; a request of more is computed alone."
    )
    max_latency: Duration = Field(
        "0s",
        description="How long a request waits for others to be computed with it, such as 2ms; 0s: only what came at once is.",
    )


class RequestLimits(Document):
    """What a pod takes; all of its workers together."""

    max_body_bytes: int = Field(
        8 * 2**20,
        ge=1024,
        le=2**30,
        description="Longest body of a request, and message over gRPC, in bytes; a longer one is refused (413).",
    )
    max_rows: int = Field(65_536, ge=1, le=10_000_000, description="Most rows of a request; one of more is refused (413).")
    max_requests: int = Field(
        1024,
        ge=1,
        le=100_000,
        description="Most requests that are computed or wait for it; those past it are refused (429), to be tried again.",
    )


class ServerSettings(Document):
    """The settings of a pod's model server: the part of ``spec.serving`` that is the server's own."""

    workers: int = Field(
        1,
        ge=1,
        le=16,
        description="Processes that serve in each pod and share its processors, ports and limits: one for each whole processor that it may "
        "use. Each holds the model in memory.",
    )
    batcher: BatcherSettings = Field(default_factory=BatcherSettings, description="What is computed together.")
    limits: RequestLimits = Field(default_factory=RequestLimits, description="What a pod takes; all of its workers together.")
    timeout: Duration = Field(
        "30s", description="A request that was not computed this long after it came is given up (504). Longer than batcher.maxLatency."
    )


class Serving(ServerSettings):
    """Deployment: how many model-server pods, how large, and what they take."""

    model_config = {
        "json_schema_extra": cel(
            between("timeout", "10ms", "10m", "serving.timeout must be from 10ms to 10m, such as 30s"),
            Rule(
                "!has(self.timeout) || !has(self.batcher) || !has(self.batcher.maxLatency) || "
                "[self.timeout, self.batcher.maxLatency].exists(t, !t.matches('^([0-9.]+(ms|s|m))+$')) || "
                "duration(self.timeout) > duration(self.batcher.maxLatency)",
                "serving.timeout must be longer than serving.batcher.maxLatency, or no request would be computed",
            ),
        )
    }

    replicas: int = Field(1, ge=0, le=1000, description="Pods of the live version; autoscaling, where given, decides in its place.")
    autoscaling: Autoscaling | None = Field(None, description="Scale with the load.")
    resources: ComputeResources = Field(
        default_factory=lambda: ComputeResources(requests={"cpu": "100m", "memory": "256Mi"}, limits={"memory": "1Gi"}),
        description="Resources of the model server.",
    )
    tracing: Tracing | None = Field(None, description="Spans of requests; none without it.")
    progress_deadline: Duration = Field("10m", description="A new version whose pods are not ready after this long is given up.")
    drain: Duration = Field("30s", description="How long the pods of a replaced version stay before they are told to end.")
    tls: TLS | None = Field(None, description="Speak TLS; the Service then has port 443 in place of 80.")
    authentication: Authentication | None = Field(None, description="Who may call; everybody who can reach the pods without it.")

    def server(self) -> ServerSettings:
        """Return the server's own part."""
        return ServerSettings.model_validate({name: getattr(self, name) for name in ServerSettings.model_fields})


class LabelSettings(Document):
    """When the truth comes back."""

    model_config = {
        "json_schema_extra": cel(
            Rule(
                "!has(self.completeAfter) || !has(self.maxDelay) || "
                "[self.completeAfter, self.maxDelay].exists(t, !t.matches('^([0-9.]+(ms|s|m|h))+$')) || "
                "duration(self.completeAfter) <= duration(self.maxDelay)",
                "monitoring.labels.completeAfter must not exceed monitoring.labels.maxDelay, after which no label is taken",
            )
        )
    }

    max_delay: Duration = Field("7d", description="Feedback is taken for this long after the prediction.")
    complete_after: Duration | None = Field(
        None,
        description="By this long after the prediction every label that comes has come, whatever it says; maxDelay by default. Younger "
        "rows are neither judged nor learnt from, unless 99% of them have their label already.",
    )

    @property
    def maturity(self) -> Duration:
        """How old a prediction must be for its label, or the lack of one, to count: ``completeAfter``, and ``maxDelay`` at most."""
        return self.max_delay if self.complete_after is None else min(self.complete_after, self.max_delay, key=duration)


class Capture(Document):
    """Keeping live rows for retraining."""

    fraction: float = Field(1.0, ge=0, le=1, description="Share of the predicted rows that are kept for their label to come back.")
    retention: Duration = Field(
        "36500d",
        description="Captured rows and labels are kept for this long, then deleted, day by day, and not learnt from. A "
        "hundred years by default: set what your rules for personal data ask.",
    )


class Monitoring(Document):
    """Monitoring: performance and drift."""

    false_alarm_probability: float = Field(0.01, gt=0, lt=0.5, description="Probability of any false drift alarm in the life of a version.")
    report_every: Duration = Field("30s", description="How often each pod looks at its counts, and reports them where they look unusual.")
    heartbeat: Duration = Field(
        "5m", description="Longest time between two reports of a pod, however usual its counts; as long as reportEvery at least."
    )
    labels: LabelSettings = Field(default_factory=LabelSettings, description="When the truth comes back.")
    capture: Capture = Field(default_factory=Capture, description="Keeping live rows for retraining.")


class Trigger(StrEnum):
    """What may start a run beside a person."""

    DRIFT = "Drift"
    PERFORMANCE = "Performance"
    NEW_ROWS = "NewRows"
    AGE = "Age"
    SOURCE = "Source"
    SCHEDULE = "Schedule"


class Budget(Document):
    """What runs that no person asked for may cost in a week."""

    runs_per_week: int = Field(21, ge=1, le=10_000, description="Most runs that begin within seven days.")
    cpu_hours_per_week: float | None = Field(
        None, gt=0, description="Most hours of a processor that runs use within seven days; without it only their number is bounded."
    )


class Retraining(Document):
    """Maintenance and continuous improvement: when to train anew."""

    model_config = {
        "json_schema_extra": cel(
            Rule(
                "(has(self.triggers) && 'Schedule' in self.triggers) == has(self.schedule)",
                "retraining.schedule and the trigger Schedule need each other",
            ),
            Rule(
                "(has(self.triggers) && 'Age' in self.triggers) == has(self.maxAge)",
                "retraining.maxAge and the trigger Age need each other",
            ),
        )
    }

    triggers: list[Trigger] = Field(
        default_factory=lambda: [Trigger.DRIFT, Trigger.PERFORMANCE, Trigger.NEW_ROWS],
        max_length=6,
        description="Drift: inputs drifted, and labels show harm or are missing. Performance: the loss of labels is suspected to have "
        "risen. NewRows: enough labels came back, how many follows from what earlier runs brought. Age: the newest row that was learnt "
        "from is older than maxAge. Source: every sourceCheck the sources are read, and learnt from where they changed. Schedule: by "
        "the clock.",
        json_schema_extra={"x-kubernetes-list-type": "set"},
    )
    schedule: str | None = Field(None, max_length=100, description="Five cron fields in UTC, such as '0 3 * * 0' for Sundays at three.")
    max_age: Duration | None = Field(None, description="The trigger Age: the oldest that the newest row learnt from may become.")
    source_check: Duration = Field("1d", description="The trigger Source: how often the sources are read to see whether they changed.")
    cooldown: Duration = Field(
        "6h",
        description="Shortest time from the end of one run to the start of the next that no person asked for; it doubles for each run in a "
        "row that brought nothing, up to 32 times.",
    )
    budget: Budget = Field(default_factory=Budget, description="What runs that no person asked for may cost in a week.")
    price_per_cpu_hour: float | None = Field(
        None,
        ge=0,
        description="What an hour of a processor costs, in the currency of objective.value; runs that cost more than they bring wait.",
    )
    give_up_after: int = Field(
        3,
        ge=1,
        le=100,
        description="After so many crashed runs in a row only new labels, newly confirmed drift, another spec or a person start one.",
    )
