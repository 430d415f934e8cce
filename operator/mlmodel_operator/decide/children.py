"""The children that a model needs now, and those that are obsolete.

Not here: the objects themselves (``resources/``).
"""

from mlmodel_contract.run import Stage
from mlmodel_contract.status import RunStatus

from ..cluster.cache import Body, Ref, ref_of
from ..cluster.kinds import CHILDREN, CLAIM, DEPLOYMENT, JOB, ROLE_BINDING, SERVICE, kind_of
from ..config import Config
from ..resources import deployment, names, permissions, scaling, service, version
from ..snapshot import Snapshot, role_binding
from .rollout import Rollout, desired_replicas


def desired_objects(snapshot: Snapshot, rollout: Rollout, config: Config) -> tuple[Body, ...]:
    """Return the children that are applied as they are here."""
    model = snapshot.model
    bodies = [*permissions.accounts(model), permissions.report_binding(model, config.reporter_role)]
    bodies += [*permissions.review_binding(model, config.reviewer_role), *permissions.network_policies(model)]
    bodies += [version.partial_metadata(model, name) for name in snapshot.versions]
    for name in rollout.running:
        if name in snapshot.versions:
            existing = snapshot.deployments.get(name)
            bodies.append(deployment.build(model, snapshot.versions[name], desired_replicas(snapshot), existing, config))
            bodies.append(service.build(model, name, name))
    served = rollout.live or rollout.candidate  # the first version's endpoints are there before it is called live
    if served is not None:
        bodies.append(service.build(model, model.key.name, served.version))
    if rollout.live is not None:
        bodies.append(scaling.disruption_budget(model, rollout.live.version))
        autoscaler = scaling.autoscaler(model, rollout.live.version)
        bodies += [autoscaler] if autoscaler else []
    return tuple(bodies)


def bindings_to_replace(snapshot: Snapshot, desired: tuple[Body, ...]) -> tuple[Ref, ...]:
    """Return the bindings to another role: a role cannot be changed in place, so they are deleted first and made again later."""
    wanted = [role_binding(body) for body in desired if kind_of(body) is ROLE_BINDING]
    return tuple(Ref(ROLE_BINDING, binding.name) for binding in wanted if snapshot.role_bindings.get(binding.name, binding) != binding)


def missing_claim(snapshot: Snapshot, config: Config) -> tuple[Body, ...]:
    """Return the claim of the store, where there is none yet."""
    if not config.store.is_claim:
        return ()
    claim = scaling.claim(snapshot.model, config.store)
    return () if ref_of(claim) in snapshot.objects else (claim,)


def needs_prediction_key(snapshot: Snapshot, rollout: Rollout) -> bool:
    """Return whether a server is about to be made for the first time, so that the key has to be there."""
    return any(name not in snapshot.deployments for name in rollout.running)


def obsolete_objects(snapshot: Snapshot, desired: tuple[Body, ...], rollout: Rollout, run: RunStatus | None) -> tuple[Ref, ...]:
    """Return the model's own objects that are no longer desired; never the claim, nor pods whose ModelVersion somebody deleted."""
    needed = {ref_of(body) for body in desired}
    needed |= {Ref(kind, name) for kind in (DEPLOYMENT, SERVICE) for name in rollout.running}
    needed |= _jobs(snapshot, run) if run else set()
    return tuple(
        ref for ref in snapshot.objects if ref.kind in CHILDREN and ref.kind is not CLAIM and ref in snapshot.owned and ref not in needed
    )


def _jobs(snapshot: Snapshot, run: RunStatus) -> set[Ref]:
    """Return the Jobs of the run under way or just ended: their pods hold the results and logs."""
    return set() if run.state == "Cancelled" else {Ref(JOB, names.job(snapshot.model, run.number, stage)) for stage in Stage}
