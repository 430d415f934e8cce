"""Reads the cache into one ``Snapshot``.

Not here: how each kind of object is read (``parse.py``).
"""

from collections.abc import Mapping

from mlmodel_contract.report import MonitorReportSpec
from pydantic import ValidationError

from ..cluster.cache import Body, Cache, Ref
from ..cluster.kinds import DEPLOYMENT, JOB, ML_MODEL, MODEL_VERSION, MONITOR_REPORT, POD, ROLE_BINDING, SERVICE, Kind
from ..cluster.ownership import Key, owner_of
from . import parse
from .objects import Snapshot, Version


class UnreadableModelError(Exception):
    """The MLModel or a version cannot be understood, although the API server let it pass: CRDs and operator are of different versions."""

    def __init__(self, body: Body, reason: str) -> None:
        super().__init__(reason)
        self.body = body


def gather(cache: Cache, key: Key) -> Snapshot | None:
    """Read the cache; None where the MLModel is gone or being deleted.

    Raises:
        UnreadableModelError: the spec, or a version's, does not fit this operator's classes.
    """
    cached = cache.objects(key)
    body = cached.get(Ref(ML_MODEL, key.name))
    if body is None or "deletionTimestamp" in body["metadata"]:
        return None
    uid = body["metadata"]["uid"]
    owners = {ref: owner_of(ref.kind, item) for ref, item in cached.items()}
    objects = {ref: cached[ref] for ref, owner in owners.items() if owner is None or not owner.is_other_model(uid)}
    reports, unreadable = _reports(objects)
    try:
        model = parse.model(key, body)
    except ValidationError as error:
        raise UnreadableModelError(body, _first_problem(error)) from error
    return Snapshot(
        model=model,
        versions={item["metadata"]["name"]: _version(body, item) for item in _of_kind(objects, MODEL_VERSION)},
        jobs={job.name: job for job in map(parse.job, _of_kind(objects, JOB))},
        deployments={deployment.name: deployment for deployment in map(parse.deployment, _of_kind(objects, DEPLOYMENT))},
        services={service.name: service for service in map(parse.service, _of_kind(objects, SERVICE))},
        role_bindings={binding.name: binding for binding in map(parse.role_binding, _of_kind(objects, ROLE_BINDING))},
        pods=tuple(parse.pod(item) for item in _of_kind(objects, POD) if not _is_left_over(item, objects)),
        reports=reports,
        unreadable_reports=unreadable,
        owned=frozenset(ref for ref, owner in owners.items() if owner is not None and owner.is_model(uid)),
        objects=objects,
    )


def _of_kind(objects: Mapping[Ref, Body], kind: Kind) -> list[Body]:
    return [body for ref, body in objects.items() if ref.kind is kind]


def _is_left_over(pod: Body, objects: Mapping[Ref, Body]) -> bool:
    """Return whether the pod is of a Job that is gone or was made again since."""
    jobs = [reference for reference in pod["metadata"].get("ownerReferences", []) if reference["kind"] == JOB.name]
    known = [objects.get(Ref(JOB, reference["name"])) for reference in jobs]
    return any(job is None or job["metadata"]["uid"] != reference["uid"] for job, reference in zip(known, jobs, strict=True))


def _version(model: Body, body: Body) -> Version:
    try:
        return parse.version(body)
    except ValidationError as error:
        raise UnreadableModelError(model, f"ModelVersion {body['metadata']['name']}: {_first_problem(error)}") from error


def _first_problem(error: ValidationError) -> str:
    problem = error.errors(include_url=False)[0]
    return f"{'.'.join(str(part) for part in problem['loc'])}: {problem['msg']}; upgrade the CRDs and the operator together"


def _reports(objects: Mapping[Ref, Body]) -> tuple[dict[str, MonitorReportSpec], int]:
    """Read the reports by pod, and count those that do not fit the schema; they are hostile input until proven otherwise."""
    reports: dict[str, MonitorReportSpec] = {}
    unreadable = 0
    for body in _of_kind(objects, MONITOR_REPORT):
        try:
            reports[body["metadata"]["name"]] = MonitorReportSpec.model_validate(body["spec"])
        except (ValidationError, KeyError):
            unreadable += 1
    return reports, unreadable
