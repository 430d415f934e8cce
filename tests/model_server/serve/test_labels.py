"""Labels come back by prediction id: verified by the server, stored by the sidecar, acknowledged when durable."""

import signal
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from mlmodel_contract.environment import PATH_PREDICTION_KEY
from model_server.prediction_id.ids import Signer

from devtools.bundles import late_flights, minutes
from devtools.pods import ServerPod, pod, poll
from tests.model_server.support.request_bodies import Json, flights, ids, labels, tensor

pytestmark = pytest.mark.slow

DAY = 86_400.0


@pytest.fixture(scope="module")
def flight_pod() -> Iterator[ServerPod]:
    with pod(late_flights(), label_delay="1d") as made:
        made.start_both()
        yield made


def predicted(made: ServerPod, rows: int = 1) -> list[str]:
    return ids(made.infer(flights(rows)))


def crafted(made: ServerPod, version: str = "x-v1", age: float = 0.0, key: bytes | None = None) -> str:
    """An id as a replica with that version would have given it some seconds ago."""
    signer = Signer(key or made.path(PATH_PREDICTION_KEY).read_bytes(), version)
    return signer.sign(int((time.time() - age) * 1000), np.array([[0.25, 0.75]]))[0]


def test_a_label_is_taken_once(flight_pod: ServerPod) -> None:
    (identity,) = predicted(flight_pod)
    first = flight_pod.feedback({"id": identity, "truth": True})
    assert first.status_code == 200
    assert first.json() == {"accepted": 1, "repeated": 0, "rejected": []}
    contradicting = flight_pod.feedback({"id": identity, "truth": False})
    assert contradicting.json() == {"accepted": 0, "repeated": 1, "rejected": []}


def test_good_labels_of_a_request_are_taken_and_bad_ones_named(flight_pod: ServerPod) -> None:
    one, two = predicted(flight_pod, 2)
    scored = flight_pod.monitored("labels_total", outcome="scored")
    request = {"labels": [{"id": one, "truth": True}, {"id": two, "truth": 1}, {"id": "junk", "truth": True}, {"id": two, "truth": False}]}
    response = flight_pod.feedback(request)
    assert response.status_code == 200
    assert response.json()["accepted"] == 2
    assert [item["id"] for item in response.json()["rejected"]] == [two, "junk"]
    assert "'late': true or false" in response.json()["rejected"][0]["error"]
    assert flight_pod.monitored("labels_total", outcome="scored") == scored + 2


def test_an_id_of_another_version_is_kept_but_not_scored(flight_pod: ServerPod) -> None:
    scored = flight_pod.monitored("labels_total", outcome="scored")
    response = flight_pod.feedback({"id": crafted(flight_pod, version="x-v0"), "truth": True})
    assert response.json()["accepted"] == 1
    assert flight_pod.monitored("labels_total", outcome="other_version") == 1
    assert flight_pod.monitored("labels_total", outcome="scored") == scored


def forged(made: ServerPod) -> str:
    (identity,) = predicted(made)
    return identity[:20] + ("A" if identity[20] != "A" else "B") + identity[21:]


def respelled(made: ServerPod) -> str:
    """The same bytes in another spelling."""
    return f"{predicted(made)[0]}="


REFUSED: dict[str, tuple[Any, str]] = {
    "changed": (forged, "signature is wrong"),
    "another key": (lambda made: crafted(made, key=b"k" * 32), "signature is wrong"),
    "another spelling": (respelled, "no text that this model gave out"),
    "cut off": (lambda made: predicted(made)[0][:10], "no text that this model gave out"),
    "not ASCII": (lambda _: "prédiction", "no text that this model gave out"),
    "endless": (lambda _: "A" * 200_000, "no text that this model gave out"),
    "too old": (lambda made: crafted(made, age=DAY + 60), "86460 s old"),
    "of the future": (lambda made: crafted(made, age=-3600), "future"),
}


@pytest.mark.parametrize(("make", "part"), REFUSED.values(), ids=REFUSED)
def test_ids_that_are_refused(flight_pod: ServerPod, make: Any, part: str) -> None:
    response = flight_pod.feedback({"id": make(flight_pod), "truth": True})
    assert response.status_code == 400
    assert part in response.json()["error"]
    assert response.json()["accepted"] == 0


@pytest.mark.parametrize("truth", [None, "true", 1, 0.5, [], {}])
def test_truths_that_do_not_fit_the_target(flight_pod: ServerPod, truth: Any) -> None:
    response = flight_pod.feedback({"id": predicted(flight_pod)[0], "truth": truth})
    assert response.status_code == 400
    assert "'truth' must be the value of 'late': true or false" in response.json()["error"]


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"junk", 400),
        ({}, 400),
        ({"labels": []}, 400),
        ({"labels": 5}, 400),
        ({"labels": [5]}, 400),
        ({"labels": [{"truth": True}]}, 400),
        ({"id": 5, "truth": True}, 400),
        (labels(["a"] * 10_001, True), 413),
        (b"[" * 9_000_000, 413),
    ],
    ids=["junk", "empty", "no labels", "number", "numbers", "no id", "id of a wrong type", "too many", "too long"],
)
def test_requests_that_are_no_feedback(flight_pod: ServerPod, request_: Json | bytes, status: int) -> None:
    response = flight_pod.feedback(request_)
    assert response.status_code == status, response.text
    assert response.json()["error"]


@pytest.mark.parametrize(("truth", "status"), [(12.5, 200), (3, 200), (True, 400), ("5", 400), (1e39, 400)])
def test_truths_of_a_regression(truth: Any, status: int, number_pod: ServerPod) -> None:
    request = {"inputs": [tensor("rows", "FP64", [1.0, 2.0], [1, 2])]}
    (identity,) = ids(number_pod.infer(request))
    assert number_pod.feedback({"id": identity, "truth": truth}).status_code == status


@pytest.fixture(scope="module")
def number_pod() -> Iterator[ServerPod]:
    with pod(minutes()) as made:
        made.start_both()
        yield made


def test_without_the_sidecar_labels_are_refused_for_now_and_none_is_lost() -> None:
    with pod(late_flights()) as made:
        monitor, _ = made.start_both()
        sent, later = predicted(made, 2)
        assert made.feedback({"id": sent, "truth": True}).status_code == 200
        monitor.send_signal(signal.SIGKILL)
        monitor.wait(10)
        refused = made.feedback({"id": later, "truth": True})
        assert refused.status_code == 503
        assert refused.headers["Retry-After"]
        assert made.infer(flights(1)).status_code == 200
        made.monitor()
        poll(lambda: made.feedback({"id": later, "truth": True}).status_code == 200, "the label")
        assert made.feedback({"id": sent, "truth": True}).json()["repeated"] == 1
        assert made.monitored("labels_total", outcome="scored") == 2
