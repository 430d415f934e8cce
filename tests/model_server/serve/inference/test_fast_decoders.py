"""The fast decoders accept nothing that the general decoder would refuse or understand otherwise."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from model_server.serve.errors import ServeError
from model_server.serve.http.oip_json import decode_infer
from model_server.serve.inference.data_plane import DataPlane, Query

from devtools.bundles import late_flights, minutes
from tests.model_server.support.data_planes import plane
from tests.support.lengths import length

WIDE = 700  # values of a request that is read as a large one
NUMBERS = st.one_of(st.floats(allow_nan=False, allow_infinity=False), st.integers(-(2**70), 2**70), st.just(-0.0))
OTHERS: st.SearchStrategy[Any] = st.sampled_from([None, True, "1", [1.0], [], {}, float("nan"), 10**400])


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> DataPlane:
    folder: Path = tmp_path_factory.mktemp("minutes")
    return plane(folder, minutes())


@pytest.fixture(scope="module")
def flying(tmp_path_factory: pytest.TempPathFactory) -> DataPlane:
    folder: Path = tmp_path_factory.mktemp("flights")
    return plane(folder, late_flights())


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """A matrix, mostly a good one, small or large, written in one of the forms of JSON."""
    rows = draw(st.sampled_from([1, 2, 3, WIDE]))
    some = draw(st.lists(NUMBERS, min_size=1, max_size=6))
    data: list[Any] = [some[index % len(some)] for index in range(2 * rows)]
    tensor: dict[str, Any] = {"name": "x", "shape": [rows, 2], "datatype": "FP64", "data": data}
    request: dict[str, Any] = {"inputs": [tensor]}
    match draw(st.sampled_from(["good"] * 6 + ["value", "nested", "count", "shape", "head", "more", "twice", "id", "text"])):
        case "value":
            data[draw(st.integers(0, len(data) - 1))] = draw(OTHERS)
        case "nested":
            tensor["data"] = [data[2 * row : 2 * row + 2] for row in range(rows)]
        case "count":
            data.extend(data[: draw(st.integers(1, 3))])
        case "shape":
            tensor["shape"] = draw(
                st.sampled_from([[rows], [2 * rows, 1], [rows, 2.0], [rows, True], [-rows, -2], [0, 2], [rows, 2, 1], rows])
            )
        case "head":
            tensor[draw(st.sampled_from(["name", "datatype", "inputs"]))] = draw(
                st.sampled_from(["a", "", "FP32", "INT64", "BYTES", None, 1, "n" * 300])
            )
        case "more":
            where = draw(st.sampled_from([tensor, request]))
            where[draw(st.sampled_from(["parameters", "outputs", "other"]))] = draw(st.sampled_from([{}, [], None, {"content_type": "x"}]))
        case "twice":
            text = json.dumps(request)
            return f'{text[:-1]}, "inputs": []}}'.encode()
        case "id":
            request["id"] = draw(st.sampled_from(["one", "", None, 1]))
        case "text":
            text = json.dumps(request)
            return text[: draw(st.integers(0, len(text)))].encode() + draw(st.sampled_from([b"", b"}", b"\xff", b"{}"]))
    return json.dumps(request, indent=draw(st.sampled_from([None, 1]))).encode()


VALUES: dict[str, st.SearchStrategy[Any]] = {
    "FP64": st.one_of(NUMBERS, st.none()),
    "INT64": st.integers(-5, 5),
    "BOOL": st.one_of(st.booleans(), st.none()),
    "BYTES": st.one_of(st.text(max_size=3), st.none(), st.just("long" * 300)),
}
COLUMNS = {"distance": "FP64", "wind": "FP64", "carrier": "BYTES", "holiday": "BOOL"}


@st.composite
def named_bodies(draw: st.DrawFn) -> bytes:
    """A tensor for each column, in any order, mostly as it should be."""
    rows = draw(st.sampled_from([1, 2, 5]))
    wrong = draw(st.sampled_from([None] * 8 + ["datatype", "value", "count", "shape", "name", "more", "missing", "parameters", "id"]))
    tensors: list[dict[str, Any]] = []
    for name, usual in draw(st.permutations([*COLUMNS.items()])):
        datatype = draw(st.sampled_from([*VALUES])) if wrong == "datatype" else usual
        values = [draw(VALUES[datatype]) for _ in range(rows)]
        shape = draw(st.sampled_from([[rows], [rows, 1]]))
        tensors.append({"name": name, "shape": shape, "datatype": datatype, "data": values})
    request: dict[str, Any] = {"inputs": tensors}
    one = draw(st.sampled_from(tensors))
    match wrong:
        case "value":
            one["data"][0] = draw(OTHERS)
        case "count":
            one["data"].append(one["data"][0])
        case "shape":
            one["shape"] = draw(st.sampled_from([[], [rows, 2], [rows, 1, 1], [0], [rows + 1], [-1], [True], rows]))
        case "name":
            one["name"] = draw(st.sampled_from(["other", "departure", "wind", "", None]))
        case "more":
            tensors.append({"name": "departure", "shape": [rows], "datatype": "BYTES", "data": ["2024-01-01"] * rows})
        case "missing":
            tensors.remove(one)
        case "parameters":
            where = draw(st.sampled_from([request, one]))
            where["parameters"] = draw(
                st.sampled_from([{}, {"content_type": "pd"}, {"content_type": "x"}, {"binary_data_size": 3}, 1, None])
            )
        case "id":
            request["id"] = draw(st.sampled_from(["one", "", None, 1]))
    return json.dumps(request).encode()


@pytest.mark.exhaustive
@settings(max_examples=length(1000, 50_000), deadline=None, database=None)
@given(body=bodies())
def test_a_matrix_is_decoded_as_by_the_general_decoder(served: DataPlane, body: bytes) -> None:
    _agree(served, body)


@pytest.mark.exhaustive
@settings(max_examples=length(1000, 50_000), deadline=None, database=None)
@given(body=named_bodies())
def test_named_columns_are_decoded_as_by_the_general_decoder(flying: DataPlane, body: bytes) -> None:
    _agree(flying, body)


def _agree(served: DataPlane, body: bytes) -> None:
    fast = served.decode_fast(body)
    if fast is not None:
        general = served.validate(decode_infer(body))
        assert (fast.id, fast.wanted, fast.rows.size) == (general.id, general.wanted, general.rows.size)
        assert (fast.rows.texts, fast.rows.times) == (general.rows.texts, general.rows.times)
        assert np.array_equal(_matrix(fast), _matrix(general), equal_nan=True)


def _matrix(query: Query) -> Any:
    return np.reshape(np.array(query.rows.numbers, dtype=np.float64), (query.rows.size, -1))


@pytest.mark.parametrize("rows", [1, WIDE])
@pytest.mark.parametrize("datatype", ["FP16", "FP32", "FP64"])
def test_it_reads_the_usual_requests(served: DataPlane, rows: int, datatype: str) -> None:
    """Else the general decoder would, and only the time would show it."""
    tensor = {"name": "x", "shape": [rows, 2], "datatype": datatype, "data": [0.5, 2] * rows}
    assert served.decode_fast(json.dumps({"inputs": [tensor]}).encode()) is not None


@pytest.mark.parametrize("rows", [1, 3])
def test_it_reads_the_usual_named_columns(flying: DataPlane, rows: int) -> None:
    values: dict[str, Any] = {"FP64": 0.5, "BOOL": True, "BYTES": "AA"}
    tensors = [{"name": name, "shape": [rows], "datatype": kind, "data": [values[kind]] * rows} for name, kind in COLUMNS.items()]
    body = {"parameters": {"content_type": "pd"}, "id": "one", "inputs": tensors}
    assert flying.decode_fast(json.dumps(body).encode()) is not None


@pytest.mark.parametrize("rows", [1, WIDE])
def test_a_number_that_is_too_large_is_refused_by_the_name_of_its_column(served: DataPlane, rows: int) -> None:
    """It is found when rows are joined; a request of the same batch that is sound is answered."""
    values = [0.5, 2.0] * (rows - 1) + [0.5, 1e300]
    body = json.dumps({"inputs": [{"name": "x", "shape": [rows, 2], "datatype": "FP64", "data": values}]}).encode()
    good = json.dumps({"inputs": [{"name": "x", "shape": [1, 2], "datatype": "FP64", "data": [1, 2]}]}).encode()
    queries = [query for query in map(served.decode_fast, (good, body, good)) if query]
    (first, wrong, last), predicted = served.answer(queries)
    assert isinstance(wrong, ServeError)
    assert f"'b' has 1e+300 at place {rows - 1}" in str(wrong)
    assert not isinstance(first, Exception)
    assert not isinstance(last, Exception)
    assert len(predicted) == 2
