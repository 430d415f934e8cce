"""What a client of the Open Inference Protocol sees of a healthy server."""

import math
from collections.abc import Iterator

import httpx
import pytest

from devtools.bundles import late_flights, minutes, species
from devtools.pods import ServerPod, pod
from tests.model_server.support.request_bodies import flights, outputs, tensor

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def flight_pod() -> Iterator[ServerPod]:
    with pod(late_flights()) as made:
        made.serve()
        yield made


@pytest.fixture(scope="module")
def number_pod() -> Iterator[ServerPod]:
    with pod(minutes()) as made:
        made.serve()
        yield made


@pytest.fixture(scope="module")
def species_pod() -> Iterator[ServerPod]:
    with pod(species()) as made:
        made.serve()
        yield made


def sigmoid(score: float) -> float:
    return 1 / (1 + math.exp(-score))


def test_health_and_server_metadata(flight_pod: ServerPod) -> None:
    assert flight_pod.http.get(f"{flight_pod.url}/v2/health/live").json() == {"live": True}
    assert flight_pod.http.get(f"{flight_pod.url}/v2/health/ready").json() == {"ready": True}
    assert flight_pod.http.get(f"{flight_pod.url}/v2").json()["name"] == "mlmodel-server"
    assert flight_pod.http.get(f"{flight_pod.url}/v2/models").json() == {"models": ["x"]}


@pytest.mark.parametrize("path", ["", "/versions/x-v1"])
def test_model_metadata_and_readiness(flight_pod: ServerPod, path: str) -> None:
    metadata = flight_pod.http.get(f"{flight_pod.model_url}{path}").json()
    assert metadata["name"] == "x"
    assert metadata["versions"] == ["x-v1"]
    assert [(item["name"], item["datatype"], item["shape"]) for item in metadata["inputs"]] == [
        ("distance", "FP64", [-1]),
        ("wind", "FP64", [-1]),
        ("carrier", "BYTES", [-1]),
        ("holiday", "BOOL", [-1]),
        ("departure", "BYTES", [-1]),
    ]
    assert metadata["inputs"][-1]["parameters"] == {"optional": True}
    assert (metadata["parameters"]["engine"], metadata["parameters"]["tolerance"]) == ("onnxruntime", 1e-5)
    assert [(item["name"], item["datatype"], item["shape"]) for item in metadata["outputs"]] == [
        ("predict", "BOOL", [-1]),
        ("predict_proba", "FP64", [-1, 2]),
        ("prediction_id", "BYTES", [-1]),
    ]
    assert flight_pod.http.get(f"{flight_pod.model_url}{path}/ready").json() == {"name": "x", "ready": True}


def test_named_columns_give_labels_probabilities_and_ids(flight_pod: ServerPod) -> None:
    request = {
        "id": "my request",
        "inputs": [
            tensor("holiday", "BOOL", [True, None]),
            tensor("wind", "INT64", [2, -40], [2, 1]),
            tensor("distance", "FP32", [[1000.0], [None]], [2, 1]),
            tensor("carrier", "BYTES", ["B6", None]),
        ],
    }
    response = flight_pod.infer(request)
    result = outputs(response)
    assert response.json()["id"] == "my request"
    assert response.json()["model_name"] == "x"
    assert response.json()["model_version"] == "x-v1"
    assert result["predict"] == {"name": "predict", "shape": [2], "datatype": "BOOL", "data": [True, False]}
    first, second = sigmoid(0.5 + 0.1 + 1.4 + 1.0), sigmoid(-2.0)
    assert result["predict_proba"]["shape"] == [2, 2]
    assert result["predict_proba"]["data"] == pytest.approx([1 - first, first, 1 - second, second], abs=1e-6)
    assert len(set(result["prediction_id"]["data"])) == 2


def test_the_time_column_is_optional_and_checked(flight_pod: ServerPod) -> None:
    departure = tensor("departure", "BYTES", ["2013-01-01T08:15:00Z", None])
    assert flight_pod.infer(flights(2, departure=departure)).status_code == 200


def test_only_the_wanted_outputs_come_in_their_order(flight_pod: ServerPod) -> None:
    request = {**flights(2), "outputs": [{"name": "prediction_id"}, {"name": "predict"}]}
    response = flight_pod.http.post(f"{flight_pod.model_url}/versions/x-v1/infer", json=request)
    assert list(outputs(response)) == ["prediction_id", "predict"]
    assert "id" not in response.json()


def test_nan_as_python_writes_it_is_a_missing_value(flight_pod: ServerPod) -> None:
    request = flights(1, wind=tensor("wind", "FP64", [None]))
    missing = flight_pod.infer(request)
    body = flight_pod.infer(httpx.Request("POST", "/", json=request).content.replace(b"null", b"NaN", 1))
    assert outputs(body)["predict_proba"] == outputs(missing)["predict_proba"]


@pytest.mark.parametrize(
    ("data", "shape"),
    [([[1.0, 2.0], [3.0, 4.5]], [2, 2]), ([1.0, 2.0, 3.0, 4.5], [2, 2])],
    ids=["nested", "flat"],
)
def test_a_matrix_is_taken_where_all_features_are_numbers(number_pod: ServerPod, data: list[object], shape: list[int]) -> None:
    response = number_pod.infer({"inputs": [tensor("rows", "FP64", data, shape)]})
    result = outputs(response)
    assert list(result) == ["predict", "prediction_id"]
    assert result["predict"] == {"name": "predict", "shape": [2], "datatype": "FP64", "data": [0.0, 1.5]}


def test_more_than_two_classes(species_pod: ServerPod) -> None:
    request = {"inputs": [tensor("length", "FP64", [-3.0, 0.0, 4.0]), tensor("width", "FP64", [0.0, 0.0, 0.0])]}
    result = outputs(species_pod.infer(request))
    assert result["predict"]["datatype"] == "BYTES"
    assert result["predict"]["data"] == ["setosa", "setosa", "virginica"]
    assert result["predict_proba"]["shape"] == [3, 3]


def test_metrics_count_requests_rows_and_values_out_of_range(flight_pod: ServerPod) -> None:
    before = flight_pod.served("rows_total")
    distance = tensor("distance", "FP64", [-1.0, 7000.0, 10.0])
    assert flight_pod.infer(flights(3, distance=distance)).status_code == 200
    assert flight_pod.served("rows_total") == before + 3
    assert flight_pod.served("values_outside_range_total", column="distance") == 2
    assert flight_pod.served("model_info", engine="onnxruntime", version="x-v1") == 1
    assert flight_pod.served("requests_total", endpoint="infer", code="200") > 0
    assert flight_pod.served("requests_in_flight") == 0
