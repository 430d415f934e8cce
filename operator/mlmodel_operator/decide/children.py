"""The children that a model has at this moment, and those that it no longer wants.

Not here: the objects themselves (``resources/``).
"""

from mlmodel_contract.run import Stage
from mlmodel_contract.status import RunStatus

from ..cluster.cache import Body, Ref, ref_of
from ..cluster.kinds import CHILDREN, CLAIM, DEPLOYMENT, JOB, ROLE_BINDING, SERVICE, kind_of
from ..config import Config
from ..resources import access, deployment, names, scaling, service, version
from ..snapshot import Snapshot
from .rollout import Rollout, wanted_replicas


def kept(snapshot: Snapshot, rollout: Rollout, config: Config) -> tuple[Body, ...]:
    """Return the children that are applied as they are here."""
    model = snapshot.model
    bodies = [*access.accounts(model), access.report_binding(model, config.reporter_role)]
    bodies += [*access.review_binding(model, config.reviewer_role), *access.network_policies(model)]
    bodies += [version.head(model, name) for name in snapshot.versions]
    for name in rollout.running:
        if name in snapshot.versions:
            existing = snapshot.deployment(name)
            bodies.append(deployment.build(model, snapshot.versions[name], wanted_replicas(snapshot), existing, config))
            bodies.append(service.build(model, name, name))
    served = rollout.live or rollout.candidate  # the first version's endpoints are there before it is called live
    if served is not None:
        bodies.append(service.build(model, model.key.name, served.version))
    if rollout.live is not None:
        bodies.append(scaling.disruption_budget(model, rollout.live.version))
        autoscaler = scaling.autoscaler(model, rollout.live.version)
        bodies += [autoscaler] if autoscaler else []
    return tuple(bodies)


def to_replace(snapshot: Snapshot, wanted: tuple[Body, ...]) -> tuple[Ref, ...]:
    """Return the bindings to another role: a role cannot be changed in place, so they go first and are made again in a later look."""
    roles = {ref_of(body): body["roleRef"] for body in wanted if kind_of(body) is ROLE_BINDING}
    return tuple(ref for ref, role in roles.items() if ref in snapshot.objects and snapshot.objects[ref]["roleRef"] != role)


def made_once(snapshot: Snapshot, config: Config) -> tuple[Body, ...]:
    """Return the claim of the store, where it is missing."""
    if not config.store.is_claim:
        return ()
    claim = scaling.claim(snapshot.model, config.store)
    return () if Ref(CLAIM, claim["metadata"]["name"]) in snapshot.objects else (claim,)


def needs_prediction_key(snapshot: Snapshot, rollout: Rollout) -> bool:
    """Tell whether a server is about to be made for the first time, so that the key has to be there."""
    return any(snapshot.deployment(name) is None for name in rollout.running)


def unwanted(snapshot: Snapshot, wanted: tuple[Body, ...], rollout: Rollout, run: RunStatus | None) -> tuple[Ref, ...]:
    """Return the model's own objects that are no longer wanted; the claim stays, and pods whose ModelVersion somebody deleted."""
    keep = {ref_of(body) for body in wanted}
    keep |= {Ref(kind, name) for kind in (DEPLOYMENT, SERVICE) for name in rollout.running}
    return tuple(
        ref
        for ref, body in snapshot.objects.items()
        if ref.kind in CHILDREN
        and ref.kind is not CLAIM
        and ref not in keep
        and _owned(snapshot, body)
        and not (ref.kind is JOB and run is not None and ref.name in _jobs(snapshot, run))
    )


def _owned(snapshot: Snapshot, body: Body) -> bool:
    return any(reference["uid"] == snapshot.model.uid for reference in body["metadata"].get("ownerReferences", []))


def _jobs(snapshot: Snapshot, run: RunStatus) -> set[str]:
    """Return the Jobs of the run under way or just ended: their pods hold the results and logs."""
    return set() if run.state == "Cancelled" else {names.job(snapshot.model, run.number, stage) for stage in Stage}
