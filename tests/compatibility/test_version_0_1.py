"""What version 0.1 wrote is read as it was: its bundles are served with the same answers, its reports and evidence give the same verdict.

``version_0_1/`` was written by the trainer, the server, the sidecar (through a real API server) and the operator of commit 2cf2267.
When the lock moves to another minor version of scikit-learn, the bundle of that engine is refused by design: package it anew then.
"""

import json
import sqlite3
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from shutil import copytree
from typing import Any

import numpy as np
import pytest
from mlmodel_contract.bundle import MANIFEST
from mlmodel_contract.environment import PATH_BUNDLE
from mlmodel_contract.report import MonitorReportSpec
from mlmodel_contract.version import Artifact
from mlmodel_detection import Evidence, MonitoringSettings, evaluate
from model_server.monitor.spool import QueuedLabel, Spool

from devtools.pods import pod

FILES = Path(__file__).parent / "version_0_1"
ENGINES = ("onnxruntime", "scikit-learn")
WRITTEN = datetime(2026, 11, 29, 18, tzinfo=UTC)


def outputs(response: Any) -> dict[str, Any]:
    """Tensors by name, but for the prediction ids, which are new each time."""
    return {output["name"]: np.array(output["data"]) for output in response["outputs"] if output["name"] != "prediction_id"}


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
def test_a_bundle_is_served_as_it_was(engine: str) -> None:
    bundle = FILES / engine / "bundle"
    digest = f"sha256:{sha256((bundle / MANIFEST).read_bytes()).hexdigest()}"
    artifact = Artifact(uri="pvc://x-store/versions/x-v1", digest=digest)
    with pod(None, artifact=artifact) as made:
        copytree(bundle, made.path(PATH_BUNDLE), dirs_exist_ok=True)
        made.serve()
        response = made.infer(json.loads((FILES / engine / "request.json").read_text()))
    found, expected = outputs(response.json()), outputs(json.loads((FILES / engine / "response.json").read_text()))
    assert found.keys() == expected.keys()
    assert (found["predict"] == expected["predict"]).all()
    assert np.allclose(found["predict_proba"], expected["predict_proba"], rtol=0, atol=1e-12)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_report_gives_the_verdict_and_the_evidence_that_it_gave(engine: str) -> None:
    report = MonitorReportSpec.model_validate(json.loads((FILES / engine / "report.json").read_text())["spec"])
    verdict = evaluate(Evidence(), {"pod-1": report}, MonitoringSettings(version=report.version), WRITTEN)
    expected = json.loads((FILES / engine / "verdict.json").read_text())
    assert {"drift": verdict.drift.wire(), "feed": verdict.feed.wire()} == expected
    kept = (FILES / engine / "evidence.txt").read_text().strip()
    assert Evidence.unpack(kept) == verdict.evidence
    again = evaluate(Evidence.unpack(kept), {"pod-1": report}, MonitoringSettings(version=report.version), WRITTEN)
    assert not again.changed, "what was counted is counted once more"


def test_a_spool_knows_the_labels_that_came(tmp_path: Path) -> None:
    """Of a pod whose image is changed in place: its emptyDir stays."""
    with sqlite3.connect(tmp_path / "spool.db") as former:
        former.executescript(
            "CREATE TABLE seen (signature BLOB PRIMARY KEY, time REAL NOT NULL) WITHOUT ROWID;"
            "CREATE INDEX seen_time ON seen (time);"
            "INSERT INTO seen VALUES (x'0102', 1.0);"
        )
    spool = Spool(tmp_path)
    with spool.transaction() as transaction:
        assert not transaction.add_received_id(QueuedLabel(b"\x01\x02", "id", "true", 2.0)), "it counts as repeated"
    spool.close()
    Spool(tmp_path).close()
