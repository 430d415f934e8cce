"""Files of labels that are dropped into the store."""

import gzip
import json
import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from mlmodel_contract.environment import PATH_STORE
from model_server.monitor.label_files import LabelFileImporter
from model_server.storage import Location, write_atomic

from devtools.bundles import late_flights, minutes, species
from devtools.pods import ServerPod, pod, poll
from tests.model_server.support.request_bodies import flights, ids

pytestmark = pytest.mark.slow

FOLDER = "x-store/models/x/feedback"
LONG_AGO = time.time() - 3_600


def drop(folder: Path, name: str, content: bytes) -> None:
    """Put a file there that was written long ago."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)
    os.utime(folder / name, (LONG_AGO, LONG_AGO))


def csv(identities: Sequence[object], truths: Sequence[Any]) -> bytes:
    return "\n".join(["id,truth", *(f"{identity},{truth}" for identity, truth in zip(identities, truths, strict=True)), ""]).encode()


def parquet(**columns: Sequence[Any]) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(columns), sink)
    return bytes(sink.getvalue())


def result(folder: Path, name: str) -> dict[str, Any]:
    (file,) = poll(lambda: list(folder.glob(f"done/*/{name}.result.json")), f"the result of {name}")
    return dict(json.loads(file.read_text()))


class TestAPod:
    """Server and sidecar as processes."""

    def folder(self, made: ServerPod) -> Path:
        return made.path(PATH_STORE) / FOLDER

    def test_labels_of_files_are_scored_like_others(self) -> None:
        with pod(late_flights()) as made:
            made.start_both()
            identities = ids(made.infer(flights(9)))
            made.label({"id": identities[0], "truth": True})
            drop(self.folder(made), "a.csv", csv([*identities[:3], "junk"], ["true", "false", "true", "true"]))
            drop(self.folder(made), "b.csv.gz", gzip.compress(csv(identities[3:6], [1, 0, 1])))
            drop(self.folder(made), "c.parquet", parquet(id=identities[6:], truth=[True, False, None], note=["", "", ""]))
            drop(self.folder(made), "notes.txt", b"not for us")
            first = result(self.folder(made), "a.csv")
            assert (first["accepted"], first["repeated"], first["rejected"], first["error"]) == (2, 1, 1, None)
            assert first["examples"] == [{"id": "junk", "error": "the prediction id is no text that this model gave out"}]
            assert result(self.folder(made), "b.csv.gz")["accepted"] == 3
            assert (result(self.folder(made), "c.parquet")["accepted"], result(self.folder(made), "c.parquet")["rejected"]) == (2, 1)
            poll(lambda: made.monitored("label_files_total", outcome="taken") == 3, "the count of files")
            assert made.monitored("labels_total", outcome="scored") == 8
            assert sorted(file.name for file in self.folder(made).iterdir() if file.is_file()) == ["notes.txt"]
            assert not list(self.folder(made).glob("claims/*"))

    def test_a_file_that_cannot_be_read_is_laid_aside_with_the_reason(self) -> None:
        with pod(late_flights()) as made:
            made.start_both()
            drop(self.folder(made), "torn.parquet", parquet(id=["x"], truth=[True])[:-20])
            drop(self.folder(made), "other.csv", b"prediction,label\nx,1\n")
            drop(self.folder(made), "words.csv", csv(["x"], ["perhaps"]))
            for name in ("torn.parquet", "other.csv", "words.csv"):
                assert "the file needs the columns id and truth" in result(self.folder(made), name)["error"], name
            poll(lambda: made.monitored("label_files_total", outcome="refused") == 3, "the count of files")

    def test_files_wait_for_the_server(self) -> None:
        with pod(late_flights()) as made:
            _, server = made.start_both()
            identities = ids(made.infer(flights(3)))
            server.kill()
            server.wait(10)
            drop(self.folder(made), "a.csv", csv(identities, ["true"] * 3))
            poll(lambda: "are not taken now" in made.log("monitor"), "a try")
            assert (self.folder(made) / "a.csv").exists()
            made.until_ready(made.serve())
            assert result(self.folder(made), "a.csv")["accepted"] == 3


class Server:
    """Stands in for the pods' servers: it takes every label, and remembers it."""

    def __init__(self) -> None:
        self.labels: list[dict[str, Any]] = []
        self.answer: httpx.Response | None = None

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if self.answer:
            return self.answer
        labels = json.loads(request.content)["labels"]
        self.labels += labels
        return httpx.Response(200, json={"accepted": len(labels), "repeated": 0, "rejected": []})


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MLMODEL_ROOT", str(tmp_path))
    return tmp_path / PATH_STORE.removeprefix("/") / FOLDER


def sidecar(server: Server, name: str, model: Any = None) -> LabelFileImporter:
    client = httpx.Client(transport=httpx.MockTransport(server), base_url="http://server")
    return LabelFileImporter(f"pvc://{FOLDER}", None, name, (model or late_flights()).schema, client, "x")


def test_each_file_is_taken_by_one_of_many_pods(folder: Path, server: Server) -> None:
    for number in range(20):
        drop(folder, f"{number}.csv", csv([f"{number}-{row}" for row in range(50)], ["true"] * 50))
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda name: sidecar(server, name).import_all(), [f"pod-{number}" for number in range(6)]))
    assert len(server.labels) == len({label["id"] for label in server.labels}) == 1_000
    assert not list((folder / "claims").iterdir())


def test_a_large_file_comes_in_portions(folder: Path, server: Server) -> None:
    drop(folder, "a.csv", csv(range(10_001), ["true"] * 10_001))
    sidecar(server, "pod-0").import_all()
    assert len(server.labels) == 10_001


def test_a_file_of_a_pod_that_is_gone_is_taken_over_in_the_end(folder: Path, server: Server) -> None:
    drop(folder, "a.csv", csv(["1"], ["true"]))
    drop(folder / "claims", "a.csv", b"pod-gone")
    os.utime(folder / "claims/a.csv")
    sidecar(server, "pod-0").import_all()
    assert server.labels == []
    os.utime(folder / "claims/a.csv", (LONG_AGO - 60, LONG_AGO - 60))
    sidecar(server, "pod-0").import_all()
    assert len(server.labels) == 1


def test_a_pod_goes_on_with_its_own_file_after_a_crash(folder: Path, server: Server) -> None:
    drop(folder, "a.csv", csv(["1"], ["true"]))
    drop(folder / "claims", "a.csv", b"pod-0")
    os.utime(folder / "claims/a.csv")
    sidecar(server, "pod-0").import_all()
    assert len(server.labels) == 1


def test_a_file_that_another_pod_finishes_meanwhile_holds_up_no_other(
    folder: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.csv", "b.csv"):
        drop(folder, name, csv([name], ["true"]))

    def taken(root: Location, name: str, content: bytes) -> None:
        write_atomic(root, name, content)
        (folder / "a.csv").unlink(missing_ok=True)

    monkeypatch.setattr("model_server.monitor.label_files.write_atomic", taken)
    sidecar(server, "pod-0").import_all()
    assert [label["id"] for label in server.labels] == ["a.csv", "b.csv"]
    assert not list((folder / "claims").iterdir())


def test_a_file_that_may_still_be_written_is_left_alone(folder: Path, server: Server) -> None:
    drop(folder, "a.csv", csv(["1"], ["true"]))
    os.utime(folder / "a.csv")
    sidecar(server, "pod-0").import_all()
    assert server.labels == []


@pytest.mark.parametrize("answer", [httpx.Response(503, json={"error": "busy"}), httpx.Response(429, json={"error": "busy"})])
def test_a_file_is_left_to_others_where_the_server_takes_no_labels(folder: Path, server: Server, answer: httpx.Response) -> None:
    drop(folder, "a.csv", csv(["1"], ["true"]))
    server.answer = answer
    sidecar(server, "pod-0").import_all()
    server.answer = None
    sidecar(server, "pod-1").import_all()
    assert len(server.labels) == 1


def test_a_pod_that_ends_leaves_its_file_to_others(folder: Path, server: Server) -> None:
    drop(folder, "a.csv", csv(["1"], ["true"]))
    ending = sidecar(server, "pod-0")
    ending.stop()
    ending.import_all()
    assert server.labels == []
    sidecar(server, "pod-1").import_all()
    assert len(server.labels) == 1


@pytest.mark.parametrize(
    ("model", "given", "truths"),
    [(minutes(), ["1", "2.5"], [1.0, 2.5]), (species(), ["setosa", "7"], ["setosa", "7"])],
    ids=["a number", "text"],
)
def test_truths_are_of_the_targets_type(folder: Path, server: Server, model: Any, given: list[str], truths: list[Any]) -> None:
    drop(folder, "a.csv", csv(["1", "2"], given))
    sidecar(server, "pod-0", model).import_all()
    assert [label["truth"] for label in server.labels] == truths
