"""What the cluster knows of a model's decisions: the operator's own words, beside the figures of the ModelVersions that they are about.

Nothing is decided here a second time: what would have changed a decision, and what the next run waits for, the operator has written down.
Not here: how it is shown.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mlmodel_contract.base import LONGEST_MESSAGE, Document
from mlmodel_contract.environment import LABEL_MODEL, PLURAL_VERSIONS
from mlmodel_contract.manifest import Objective, Training
from mlmodel_contract.quality_metrics import Metric
from mlmodel_contract.status import DriftStatus, LoggedDecision, MLModelStatus
from mlmodel_contract.version import ModelVersionSpec, Verdict
from pydantic import Field, ValidationError

from .cluster import Body, ClusterError, ClusterReader, UnknownNameError
from .version_view import list_names, read_model

_VERDICTS = ("Accepted", "Rejected", "ChampionKept")  # decisions that are taken by a version's figures


class _Asked(Document):
    """The parts of an MLModel's spec that are shown."""

    objective: Objective
    training: Training | None = None


class _VersionStatus(Document):
    """The part of a ModelVersion's status that is shown."""

    drift: DriftStatus = Field(default_factory=DriftStatus)


@dataclass(frozen=True)
class Version:
    """A ModelVersion: what it was made from and how it was judged, when, and the labels of its predictions that came back."""

    name: str
    made: str
    spec: ModelVersionSpec
    labels: int


@dataclass(frozen=True)
class Decision:
    """A decision, and the version by whose figures it was taken; None where it was not taken by a version's figures."""

    logged: LoggedDecision
    judged: Version | None


@dataclass(frozen=True)
class Explanation:
    """A model as it is, and the decisions that made it so, newest first.

    Args:
        model: the MLModel's name.
        namespace: its namespace.
        objective: what it is asked for.
        metric: what recipes and versions are compared by; None of a model that was trained elsewhere.
        status: what the operator found.
        versions: all ModelVersions, by name.
        decisions: about the whole model or, with ``about``, about that version alone.
        about: the version that they were limited to.

    """

    model: str
    namespace: str
    objective: Objective
    metric: Metric | None
    status: MLModelStatus
    versions: Mapping[str, Version]
    decisions: tuple[Decision, ...]
    about: str | None

    @property
    def live(self) -> Version | None:
        """The version that has the traffic."""
        return self.versions.get(self.status.live.version) if self.status.live else None

    @property
    def labels(self) -> int:
        """The labelled predictions of all versions, as the operator counts them."""
        return sum(version.labels for version in self.versions.values())

    @property
    def not_compared(self) -> list[str]:
        """Names of the accepted versions of which nothing is known beside the live one yet, newest first."""
        compared = {record.version for record in self.status.retraining.versions}
        live = self.status.live.version if self.status.live else None
        accepted = [version for version in self.versions.values() if version.spec.decision.verdict is Verdict.ACCEPTED]
        others = [version for version in accepted if version.name not in compared and version.name != live]
        return [version.name for version in sorted(others, key=lambda version: -version.spec.run)]


def load_explanation(cluster: ClusterReader, name: str, version: str | None) -> Explanation:
    """Read what was decided about a model, or about one of its versions.

    Raises:
        ClusterError: the cluster does not answer, there is no such model or version, or nothing was decided yet.

    """
    body = read_model(cluster, name)
    bodies = cluster.list_all(PLURAL_VERSIONS, f"{LABEL_MODEL}={name}")
    try:
        spec = _Asked.model_validate(body["spec"], extra="ignore")
        status = MLModelStatus.model_validate(_known(body), extra="ignore")
        versions = {one.name: one for one in map(_version, bodies)}
    except ValidationError as error:
        raise ClusterError(f"the objects of {name} cannot be read: install the kubectl-mlmodel of the operator's release") from error
    if version is not None and version not in versions:
        raise UnknownNameError(f"{name} has no version {version}: {list_names(bodies)}")
    if not status.decisions and not versions:
        raise ClusterError(f"nothing was decided about {name} yet: is the operator running?")
    logged = status.decisions if version is None else _about(versions[version], status.decisions)
    decisions = tuple(Decision(one, _judged(one, versions)) for one in reversed(logged))
    metric = spec.training.metric if spec.training else None
    return Explanation(name, cluster.namespace, spec.objective, metric, status, versions, decisions, version)


def _known(body: Body) -> Body:
    """Return the status without fields that are null, which a writer by hand may leave."""
    return {name: value for name, value in (body.get("status") or {}).items() if value is not None}


def _version(body: Body) -> Version:
    metadata = body["metadata"]
    status = _VersionStatus.model_validate(_known(body), extra="ignore")
    spec = ModelVersionSpec.model_validate(body["spec"], extra="ignore")
    return Version(metadata["name"], metadata.get("creationTimestamp", ""), spec, status.drift.labels)


def _about(version: Version, decisions: Sequence[LoggedDecision]) -> list[LoggedDecision]:
    """Return the decisions about the version and the run that made it; the verdict on it is known however long ago that was."""
    about = [one for one in decisions if one.version == version.name or one.run == version.spec.run]
    verdict = version.spec.decision
    if any(one.decision in _VERDICTS and one.version == version.name for one in about):
        return about
    message = f"{verdict.reason}: {verdict.message}"[:LONGEST_MESSAGE]
    logged = LoggedDecision(
        time=version.made,
        decision=verdict.verdict,
        version=version.name,
        run=version.spec.run,
        message=message,
        otherwise=verdict.otherwise,
    )
    return [logged, *about]


def _judged(decision: LoggedDecision, versions: Mapping[str, Version]) -> Version | None:
    return versions.get(decision.version or "") if decision.decision in _VERDICTS else None
