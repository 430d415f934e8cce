"""The metrics that operator, model server and sidecar really expose, for what the chart says of them. Asserts nothing."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import cast

import httpx
from mlmodel_contract.bundle import PROFILE, SCHEMA, BundleSchema, Profile
from mlmodel_operator import metrics
from mlmodel_operator.cluster.client import Client
from mlmodel_operator.reconcile import Reconciler
from model_server.monitor.capture import Archive, Destination, RowBuffer
from model_server.monitor.label_delay import LabelDelay
from model_server.monitor.label_files import LabelFileImporter
from model_server.monitor.metrics import Reporting, Sources, registry
from model_server.monitor.pod_counts import PodCounts, Subject
from model_server.monitor.spool import Spool
from model_server.serve.telemetry.metrics import ServerMetrics
from prometheus_client import REGISTRY, CollectorRegistry

from devtools.bundles import late_flights, write_bundle
from tests.operator.support import fake_controllers
from tests.operator.support.model_lifecycle import CONFIG, KEY, ModelLifecycle, finished

_MODEL = ("team", "late", "late-v1")


def exposed(folder: Path) -> Mapping[str, frozenset[str]]:
    """Return the labels of every series' name that is ours."""
    names: dict[str, frozenset[str]] = {}
    for samples in (_operator(), _server(), _sidecar(folder)):
        names |= {name: labels for name, labels in samples if name.startswith("mlmodel_")}
    return names


def _operator() -> Iterator[tuple[str, frozenset[str]]]:
    model = ModelLifecycle()
    reconciler = Reconciler(cast(Client, model.api), model.cache, CONFIG)
    model.observe()
    finished(reconciler(KEY))
    model.observe()
    model.go_live()
    model.reports("late-v1", fake_controllers.LiveRows(2000, shifted=True, labels=500, loss=2.0, due=1000), sequence=2)
    fake_controllers.report(
        model.api, "late-v1-0", "late-v1", fake_controllers.LiveRows(70), 1, model.now
    )  # older than the last one: refused
    model.observe()
    finished(reconciler(KEY))
    # Labels without their scores give no live value.
    criterion = model.status.objective[0].replace(value=0.8, low=0.75, high=0.85)
    metrics.set_model_metrics(KEY, model.status.replace(objective=[criterion]))
    yield from _samples(REGISTRY)
    metrics.remove_model_metrics(KEY)


def _server() -> Iterator[tuple[str, frozenset[str]]]:
    server = ServerMetrics(*_MODEL)
    server.answered("infer", 200, 0.01)
    server.predicted(1, {"wind": 1})
    server.labelled(1, 1, 1)
    server.describe("onnx", "linear")
    return _samples(server.registry)


def _sidecar(folder: Path) -> Iterator[tuple[str, frozenset[str]]]:
    write_bundle(folder / "bundle", late_flights(), "late-v1")
    schema = BundleSchema.model_validate_json((folder / "bundle" / SCHEMA).read_text())
    profile = Profile.model_validate_json((folder / "bundle" / PROFILE).read_text())
    spool = Spool(folder / "spool")
    counts = PodCounts(Subject("late", "late-v1", schema, profile, 60.0, LabelDelay(60.0)), spool)
    archive = Archive(Destination(str(folder), None, "late-v1", "pod"), schema, spool, counts.add_captured)
    with httpx.Client() as client:
        label_files = LabelFileImporter(str(folder / "feedback"), None, "pod", schema, client, "late")
        yield from _samples(registry(_MODEL, Sources(counts, RowBuffer(schema, 1.0), archive, label_files, Reporting())))
    spool.close()


def _samples(source: CollectorRegistry) -> Iterator[tuple[str, frozenset[str]]]:
    return ((sample.name, frozenset(sample.labels)) for family in source.collect() for sample in family.samples)
