"""What processes of which a pod has several must not carry: each library is memory and time to start."""

import subprocess
import sys

import pytest

TRAINERS = {"sklearn", "scipy", "pandas", "skops", "onnx", "joblib"}


@pytest.mark.parametrize(
    ("work", "heavy"),
    [
        ("import model_server.monitor", TRAINERS | {"onnxruntime", "grpc", "pyarrow", "s3fs", "aiohttp", "arro3"}),
        ("from model_server.monitor.parquet import labels_content; labels_content([('a', '1', 0.0)])", TRAINERS | {"pyarrow"}),
        (
            "import model_server.serve, model_server.serve.grpc.server",
            TRAINERS | {"pyarrow", "s3fs", "aiohttp", "httpx", "grpc_reflection.v1alpha"},
        ),
        (
            "import sklearn.dummy, model_server.bundle.write as write; write.pipeline_bytes(sklearn.dummy.DummyClassifier())",
            {"sklearn.inspection", "sklearn.mixture", "sklearn.semi_supervised"},
        ),
    ],
    ids=["the sidecar", "captured rows", "the server", "a file of skops"],
)
def test_libraries_that_are_not_used_are_not_imported(work: str, heavy: set[str]) -> None:
    probe = f"import sys, model_server.__main__; {work}; print(sorted({heavy | {'typer'}} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True).stdout.strip() == "[]"
