"""The Job of one stage of a run.

Not here: when a stage starts, and what its result means (``decide/run_stages.py``).
"""

import math
from typing import Any

from mlmodel_contract import VERSION
from mlmodel_contract.environment import COMMAND_TRAIN, ENV_RUN
from mlmodel_contract.manifest import Training
from mlmodel_contract.run import RunDocument, Stage
from mlmodel_contract.status import RunStatus
from mlmodel_contract.version import Artifact

from ..cluster.kinds import JOB
from ..config import Config
from ..snapshot import Snapshot
from . import names
from .pod_parts import Storage, container, pod_spec, store_uri, whole_seconds

_GRACE_SECONDS = 5
"""A trainer that is terminated has nothing to save."""

_START_SECONDS = 30
"""Time to schedule a pod and to notice its end, beside its own deadline, which counts from when a node has accepted it."""


def build(
    snapshot: Snapshot, run: RunStatus, config: Config, *, artifact: Artifact | None = None, single_pod_from: int | None = None
) -> dict[str, Any]:
    """Return the Job of the run's present stage.

    Args:
        snapshot: the model and what belongs to it.
        run: the run.
        config: the operator's settings.
        artifact: the bundle that the stage Verify checks.
        single_pod_from: from how many new rows on the pod may do the further stages too, see ``RunDocument``.

    """
    model = snapshot.model
    training = model.spec.training or Training.model_validate({"task": "Classification"})  # an import's: only its limits are used
    retries = training.retries if single_pod_from is None else max(1, training.retries)  # the pod after one that died leaves its results
    document = _document(snapshot, run, artifact, config).replace(single_pod_from=single_pod_from)
    labels = names.run_labels(model, run.number, run.stage)
    spec: dict[str, Any] = {
        "activeDeadlineSeconds": _longest(training, _pods(training, run) if run.stage is Stage.TRAIN else 1, retries),
        "template": {"metadata": {"labels": labels}, "spec": _pod(snapshot, document, training, config)},
    }
    if run.stage is Stage.TRAIN:
        spec |= {
            "completionMode": "Indexed",
            "completions": _pods(training, run),
            "parallelism": min(training.parallelism, _pods(training, run)),
            "backoffLimitPerIndex": training.retries,
        }
    else:
        spec |= {"backoffLimit": retries}
    return names.type_meta(JOB) | {"metadata": names.metadata(model, names.job(model, run.number, run.stage), labels), "spec": spec}


def _pods(training: Training, run: RunStatus) -> int:
    """Return the pods of the stage Train: one for each trial and, where recipes compete, one that scores the versions."""
    return training.trials if run.competition is None else run.competition.trials + 1


def _longest(training: Training, pods: int, retries: int) -> int:
    """Return the seconds after which a stage of so many pods is given up, though one waits for a node: every attempt at its timeout.

    The Job controller waits 10 s before the second attempt, and twice as long before each further one, at most ten minutes.
    """
    attempts = (retries + 1) * (whole_seconds(training.timeout) + _GRACE_SECONDS + _START_SECONDS)
    pauses = sum(min(10 << retry, 600) for retry in range(retries))
    return math.ceil(pods / training.parallelism) * (attempts + pauses)


def _document(snapshot: Snapshot, run: RunStatus, artifact: Artifact | None, config: Config) -> RunDocument:
    model = snapshot.model
    champion = snapshot.versions.get(run.champion) if run.champion else None
    return RunDocument(
        contract=VERSION,
        namespace=model.key.namespace,
        model=model.key.name,
        run=run.number,
        reason=run.reason,
        stage=run.stage,
        store=store_uri(model, config.store),
        store_credentials=config.store.credentials,
        objective=model.spec.objective,
        data=model.spec.data,
        training=model.spec.training,
        champion=champion.spec.artifact if champion else None,
        champion_version=champion.name if champion else None,
        artifact=artifact,
        quarantine=model.status.quarantine,
        time=run.started,
        competition=run.competition,
        maturity=model.spec.monitoring.labels.maturity,
    )


def _pod(snapshot: Snapshot, document: RunDocument, training: Training, config: Config) -> dict[str, Any]:
    sources = document.data.sources if document.data else []
    earlier = document.competition.versions if document.competition else []
    artifacts = [artifact for artifact in (document.champion, document.artifact, *(version.artifact for version in earlier)) if artifact]
    storage = Storage.from_uris(
        [document.store, *(source.uri or "" for source in sources), *(artifact.uri for artifact in artifacts)],
        [config.store.credentials, *(source.credentials for source in sources), *(artifact.credentials for artifact in artifacts)],
    )
    trainer = container(
        "trainer",
        config.server_image,
        COMMAND_TRAIN,
        env=[{"name": ENV_RUN, "value": document.model_dump_json(by_alias=True, exclude_none=True)}],
        resources=training.resources.wire(),
        mounts=storage.mounts,
    )
    pod = pod_spec(names.trainer_account(snapshot.model), grace_seconds=_GRACE_SECONDS, containers=[trainer], volumes=storage.volumes)
    return pod | {"restartPolicy": "Never", "activeDeadlineSeconds": whole_seconds(training.timeout)}
