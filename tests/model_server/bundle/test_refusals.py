"""Hostile and damaged bundles: each is refused with a sentence, and nothing of it is run."""

import json
import os
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pandas as pd
import pytest
import skops.io
from mlmodel_contract import VERSION
from mlmodel_contract.bundle import GOLDEN, MANIFEST, MODEL, MODEL_ONNX, PROFILE, SCHEMA
from mlmodel_contract.environment import ENV_POD, PATH_BUNDLE, PATH_PREDICTION_KEY, PATH_TERMINATION
from mlmodel_contract.pod import PodDocument
from mlmodel_contract.version import Artifact
from model_server.bundle.command import run_fetch
from model_server.bundle.errors import BundleRefused
from model_server.bundle.libraries import installed
from model_server.bundle.read import open_bundle
from model_server.serve.server import run_server
from onnx import TensorProto, helper
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.preprocessing import FunctionTransformer

FEATURES = {"features": [{"name": "a", "type": "number"}], "target": "y", "targetType": "boolean", "classes": [False, True]}


class Exploit:
    """What a pickle would run when it is loaded."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.system, ("touch /tmp/exploited",))


def digest(content: bytes) -> str:
    return f"sha256:{sha256(content).hexdigest()}"


class Folder:
    """A good bundle that a test spoils, and then seals as an attacker would: with every sha256 right."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(parents=True)
        self.pipeline = LogisticRegression().fit(pd.DataFrame({"a": [-1.0, 1.0]}), [0, 1])
        self.write(MODEL, skops.io.dumps(self.pipeline))
        self.write_json(SCHEMA, {"task": "Classification", **FEATURES})
        self.write_json(PROFILE, {"rows": 2, "features": [], "loss": {"rows": 2, "mean": 0.5, "variance": 0.1}})
        predictions = self.pipeline.predict_proba(pd.DataFrame({"a": [0.5, -0.5]})).tolist()
        self.write_json(GOLDEN, {"rows": [{"a": 0.5}, {"a": -0.5}], "predictions": predictions, "tolerance": 1e-5})
        self.manifest: dict[str, Any] = {"contract": VERSION, "version": "x-v1", "engine": "scikit-learn", "libraries": self.libraries()}

    def libraries(self) -> dict[str, str]:
        return installed()

    def write(self, name: str, content: bytes) -> None:
        (self.path / name).write_bytes(content)

    def write_json(self, name: str, content: Any) -> None:
        self.write(name, json.dumps(content).encode())

    def change(self, name: str, **values: Any) -> None:
        self.write_json(name, json.loads((self.path / name).read_text()) | values)

    def seal(self) -> str:
        files = {file.name: digest(file.read_bytes()) for file in self.path.iterdir() if file.name != MANIFEST}
        self.write_json(MANIFEST, {"files": files} | self.manifest)
        return digest((self.path / MANIFEST).read_bytes())


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "bundle")


def test_a_good_bundle_is_opened(folder: Folder) -> None:
    bundle = open_bundle(folder.path, folder.seal())
    assert bundle.predictor.engine == "scikit-learn"
    assert bundle.digest == digest((folder.path / MANIFEST).read_bytes())


def test_another_digest_is_refused(folder: Folder) -> None:
    folder.seal()
    with pytest.raises(BundleRefused, match="correct the digest") as refused:
        open_bundle(folder.path, "sha256:" + "0" * 64)
    assert refused.value.check == "DigestDiffers"


def test_a_file_that_was_changed_is_refused(folder: Folder) -> None:
    sealed = folder.seal()
    folder.change(GOLDEN, tolerance=2e-5)
    with pytest.raises(BundleRefused, match=r"golden\.json is not the file") as refused:
        open_bundle(folder.path, sealed)
    assert refused.value.check == "FileDiffers"


def _model(content: Any) -> Callable[[Folder], None]:
    return lambda folder: folder.write(MODEL, skops.io.dumps(content))


def _pickle(folder: Folder) -> None:
    import pickle

    folder.write(MODEL, pickle.dumps(Exploit()))


def _node(**values: Any) -> Callable[[Folder], None]:
    """Rename the type or the loader of the model's root in its tree, as a forged file would."""

    def spoil(folder: Folder) -> None:
        with ZipFile(folder.path / MODEL) as archive:
            parts = {name: archive.read(name) for name in archive.namelist()}
        parts["schema.json"] = json.dumps(json.loads(parts["schema.json"]) | values).encode()
        with ZipFile(folder.path / MODEL, "w") as archive:
            for name, content in parts.items():
                archive.writestr(name, content)

    return spoil


def _deep(folder: Folder) -> None:
    with ZipFile(folder.path / MODEL, "w") as archive:
        archive.writestr("schema.json", "[" * 100_000)


def _made_with(name: str, version: str) -> Callable[[Folder], None]:
    return lambda folder: folder.manifest["libraries"].update({name: version})


def _onnx(opset: int = 18, ir: int = 9, **libraries: str) -> Callable[[Folder], None]:
    """Let ONNX Runtime be the engine, with a graph of these versions."""

    def spoil(folder: Folder) -> None:
        value = [helper.make_tensor_value_info(name, TensorProto.DOUBLE, [None, 1]) for name in ("a", "b")]
        graph = helper.make_graph([helper.make_node("Identity", ["a"], ["b"])], "graph", value[:1], value[1:])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=ir)
        folder.write(MODEL_ONNX, model.SerializeToString())
        folder.manifest["engine"] = "onnxruntime"
        folder.manifest["libraries"].update(libraries)

    return spoil


def _golden(**values: Any) -> Callable[[Folder], None]:
    return lambda folder: folder.change(GOLDEN, **values)


def _regression(**golden: Any) -> Callable[[Folder], None]:
    """A good bundle that predicts numbers 2 apart, but for what is changed in its golden rows."""

    def spoil(folder: Folder) -> None:
        pipeline = LinearRegression().fit(pd.DataFrame({"a": [-1.0, 1.0]}), [-2.0, 2.0])
        folder.write(MODEL, skops.io.dumps(pipeline))
        folder.change(SCHEMA, task="Regression", targetType="number", classes=[])
        folder.change(GOLDEN, predictions=pipeline.predict(pd.DataFrame({"a": [0.5, -0.5]})).reshape(-1, 1).tolist())
        folder.change(GOLDEN, **golden)

    return spoil


def test_a_good_bundle_of_numbers_is_opened(folder: Folder) -> None:
    _regression(tolerance=0.0019)(folder)
    assert open_bundle(folder.path, folder.seal()).schema.classes == []


@pytest.mark.parametrize(
    ("spoil", "check", "words"),
    [
        pytest.param(_pickle, "ForbiddenType", "no skops file", id="pickle in place of the model"),
        pytest.param(_model(FunctionTransformer(os.system)), "ForbiddenType", "may not be loaded", id="function"),
        pytest.param(_model([LogisticRegression(), os.path.join]), "ForbiddenType", "may not be loaded", id="function in a list"),
        pytest.param(_model(Folder), "ForbiddenType", "may not be loaded", id="unknown class"),
        pytest.param(_model(b"bytes"), "ForbiddenType", "builtins.bytes", id="type that skops itself trusts"),
        pytest.param(_node(__module__="os", __class__="system"), "ForbiddenType", "os.system", id="forged class"),
        pytest.param(_node(__loader__="MethodNode"), "ForbiddenType", "as MethodNode", id="forged loader"),
        pytest.param(_node(protocol=0), "LibraryVersion", "another version of skops", id="old loaders"),
        pytest.param(_deep, "ForbiddenType", "no skops file", id="nested too deep"),
        pytest.param(_made_with("scikit-learn", "0.24.2"), "LibraryVersion", "scikit-learn 0.24.2", id="another scikit-learn"),
        pytest.param(_made_with("skops", "0.999.0"), "LibraryVersion", "skops 0.999.0", id="a newer skops"),
        pytest.param(_made_with("numpy", "1.26.4"), "LibraryVersion", "numpy 1.26.4", id="another numpy"),
        pytest.param(_made_with("numpy", ""), "LibraryVersion", "numpy of unknown version", id="a numpy that is not named"),
        pytest.param(_onnx(onnxruntime="1.999.0"), "LibraryVersion", "onnxruntime 1.999.0", id="a newer ONNX Runtime"),
        pytest.param(_onnx(opset=999), "LibraryVersion", "opset or IR version", id="a later opset"),
        pytest.param(_onnx(ir=999), "LibraryVersion", "opset or IR version", id="a later IR"),
        pytest.param(_golden(predictions=[[0.5, 0.5], [0.5, 0.5]]), "GoldenRowsDiffer", "golden row", id="golden rows differ"),
        pytest.param(
            _golden(predictions=[[0.5], [0.5]]), "GoldenRowsDiffer", "a prediction of 2 numbers", id="golden rows of another shape"
        ),
        pytest.param(_golden(predictions=[[0.5, 0.5], [0.5]]), "GoldenRowsDiffer", "a prediction of 2 numbers", id="ragged golden rows"),
        pytest.param(_golden(predictions=[[0.5, 0.5]]), "GoldenRowsDiffer", "for each of them", id="a golden row without prediction"),
        pytest.param(_golden(tolerance=float("nan")), "GoldenRowsDiffer", "allows differences of nan", id="a tolerance that is no number"),
        pytest.param(_regression(tolerance=0.1), "GoldenRowsDiffer", "more than 0.002", id="any number is golden"),
        pytest.param(_golden(rows=[], predictions=[]), "GoldenRowsDiffer", "golden rows", id="no golden rows"),
        pytest.param(_golden(tolerance=1.0), "GoldenRowsDiffer", "allows differences of 1", id="any prediction is golden"),
        pytest.param(lambda f: f.write(GOLDEN, b"{"), "FileInvalid", "golden.json is invalid", id="damaged document"),
        pytest.param(lambda f: f.manifest.update(contract=99), "ContractVersion", "contract 99", id="another contract"),
        pytest.param(lambda f: f.manifest.update(engine="pickle"), "FileMissing", "model.onnx", id="unknown engine"),
        pytest.param(lambda f: f.manifest.update(engine="onnxruntime"), "FileMissing", "model.onnx", id="no model for the engine"),
    ],
)
def test_a_bundle_that_must_not_serve_is_refused(folder: Folder, spoil: Callable[[Folder], None], check: str, words: str) -> None:
    spoil(folder)
    with pytest.raises(BundleRefused) as refused:
        open_bundle(folder.path, folder.seal())
    assert refused.value.check == check
    assert words in str(refused.value)
    assert not Path("/tmp/exploited").exists()


def test_a_manifest_may_not_name_files_elsewhere(folder: Folder) -> None:
    sealed = json.loads((folder.path / MANIFEST).read_text()) if folder.seal() else {}
    sealed["files"]["../outside"] = "sha256:" + "0" * 64
    folder.write_json(MANIFEST, sealed)
    with pytest.raises(BundleRefused, match="no plain file name") as refused:
        open_bundle(folder.path, None)
    assert refused.value.check == "ManifestInvalid"


def set_up_pod(monkeypatch: pytest.MonkeyPatch, root: Path, digest: str) -> PodDocument:
    """Let this process be a container of a pod below ``root`` whose bundle must have the digest; return its pod document."""
    document = PodDocument(
        contract=VERSION,
        namespace="n",
        model="x",
        version="x-v1",
        model_uid="1",
        version_uid="2",
        artifact=Artifact(uri="pvc://store/x/versions/x-v1", digest=digest),
        store="pvc://store/x",
    )
    monkeypatch.setenv("MLMODEL_ROOT", str(root))
    monkeypatch.setenv(ENV_POD, json.dumps(document.wire()))
    return document


class TestFetch:
    """The init step, as its pod runs it."""

    @pytest.fixture
    def pod(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
        """Set a pod up whose bundle must have the digest; return the place of its termination message."""

        def start(wanted: str) -> Path:
            set_up_pod(monkeypatch, tmp_path, wanted)
            message = tmp_path / "dev/termination-log"
            message.parent.mkdir()
            message.touch()
            return message

        return start

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Folder:
        return Folder(tmp_path / "mlmodel/claims/store/x/versions/x-v1")

    def test_the_bundle_is_brought_into_the_pod(self, folder: Folder, pod: Callable[[str], Path], tmp_path: Path) -> None:
        sealed = folder.seal()
        message = pod(sealed)
        assert run_fetch() == 0
        assert message.read_text() == ""
        assert open_bundle(tmp_path / PATH_BUNDLE.removeprefix("/"), sealed).digest == sealed

    @pytest.mark.parametrize("name", [MODEL, MANIFEST])
    def test_a_bundle_that_was_changed_is_refused_with_the_reason(self, folder: Folder, pod: Callable[[str], Path], name: str) -> None:
        message = pod(folder.seal())
        (folder.path / name).write_bytes((folder.path / name).read_bytes() + b" ")
        assert run_fetch() == 1
        assert message.read_text().startswith("FileDiffers: " if name == MODEL else "DigestDiffers: ")

    def test_a_bundle_that_is_gone_is_named(self, folder: Folder, pod: Callable[[str], Path]) -> None:
        message = pod("sha256:" + "0" * 64)
        assert folder.path.exists()
        assert run_fetch() == 1
        assert "'pvc://store/x/versions/x-v1/manifest.json' does not exist" in message.read_text()


def test_a_server_that_refuses_a_bundle_says_why_as_its_last_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Folder(tmp_path / PATH_BUNDLE.removeprefix("/"))
    _made_with("scikit-learn", "0.24.2")(folder)
    document = set_up_pod(monkeypatch, tmp_path, folder.seal())
    for path, content in ((PATH_TERMINATION, b""), (PATH_PREDICTION_KEY, bytes(32))):
        place = tmp_path / path.removeprefix("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
    assert run_server(document) == 1
    said = (tmp_path / PATH_TERMINATION.removeprefix("/")).read_text()
    assert "made with scikit-learn 0.24.2" in said
    assert said.endswith("train or package it anew")
