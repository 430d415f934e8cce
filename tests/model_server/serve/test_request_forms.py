"""The form in which rows come does not matter: JSON nested or flat, bytes, gRPC raw or typed, V1 by row or by column."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from model_server.serve.grpc.messages import RpcCall
from model_server.serve.http.kserve_v1 import KServeV1Decoder
from model_server.serve.http.oip_json import decode_infer
from model_server.serve.inference.data_plane import DataPlane
from model_server.serve.inference.tensors import InferRequest

from devtools.bundles import late_flights
from tests.model_server.support.data_planes import plane
from tests.model_server.support.grpc_calls import packed, typed
from tests.model_server.support.request_bodies import HEADER, Json, binary, flights, tensor
from tests.support.lengths import length

pytestmark = [pytest.mark.slow, pytest.mark.exhaustive]

ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "distance": st.floats(-1e6, 1e6) | st.just(float("nan")),
            "wind": st.integers(-(2**31), 2**31 - 1),
            "carrier": st.sampled_from(["AA", "B6", "UA"]) | st.text(max_size=5),
            "holiday": st.booleans(),
        }
    ),
    min_size=1,
    max_size=5,
)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> DataPlane:
    folder: Path = tmp_path_factory.mktemp("bundle")
    return plane(folder, late_flights())


def forms(served: DataPlane, rows: list[Json]) -> dict[str, InferRequest]:
    types = {"distance": "FP64", "wind": "INT32", "carrier": "BYTES", "holiday": "BOOL"}
    columns = {name: [row[name] for row in rows] for name in types}
    request = flights(len(rows), **{name: tensor(name, datatype, columns[name]) for name, datatype in types.items()})
    nested = {
        "inputs": [{**item, "shape": [len(rows), 1], "data": [[value] for value in item["data"]]} for item in request["inputs"][::-1]]
    }
    body, headers = binary(request)
    v1 = KServeV1Decoder(served.model.schema)
    return {
        "flat": decode_infer(json.dumps(request).encode()),
        "nested": decode_infer(json.dumps(nested).encode()),
        "bytes": decode_infer(body, int(headers[HEADER])),
        "raw": RpcCall(packed(request).SerializeToString(), served.find).decode(),
        "typed": RpcCall(typed(request).SerializeToString(), served.find).decode(),
        "rows of V1": v1.decode(json.dumps({"instances": [[row[name] for name in types] for row in rows]}).encode()),
        "objects of V1": v1.decode(json.dumps({"instances": rows}).encode()),
        "columns of V1": v1.decode(json.dumps({"inputs": columns}).encode()),
    }


@settings(max_examples=length(200, 10_000), deadline=None, database=None)
@given(rows=ROWS)
def test_the_same_rows_get_the_same_answer_in_every_form(served: DataPlane, rows: list[Json]) -> None:
    found: dict[str, Any] = {}
    for name, request in forms(served, rows).items():
        _, predicted = served.infer(request)
        found[name] = predicted.predictions
        monitored = {**dict(zip(predicted.names, predicted.numbers.T, strict=True)), **predicted.others}
        assert {column: len(values) for column, values in monitored.items()} == dict.fromkeys(rows[0], len(rows)), name
    for name, predictions in found.items():
        assert np.array_equal(predictions, found["flat"]), name
