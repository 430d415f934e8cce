"""Any bytes, at any entry point, are predicted, or refused as the client's error."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from model_server.serve.grpc.oip import open_inference_pb2 as oip

from devtools.bundles import late_flights, minutes
from tests.model_server.support.data_planes import plane
from tests.model_server.support.fuzzing import EntryPoint, entry_points, good
from tests.model_server.support.request_bodies import DTYPES, binary, flights, tensor
from tests.support.lengths import length

pytestmark = [pytest.mark.slow, pytest.mark.exhaustive]
RULES = settings(max_examples=length(1_000, 30_000), deadline=None, database=None, suppress_health_check=list(HealthCheck))

EDGES: st.SearchStrategy[Any] = st.sampled_from(
    [0, -1, 1, 2**31, 2**63 - 1, 2**63, 2**64, 1e308, -1e39, 5e-324, "", "é" * 1001, "\x00", None, True, [], {}]
)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20) | EDGES
TREES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3), max_leaves=6
)
DATATYPES = st.sampled_from([*DTYPES, "BYTES", "BF16", ""])
SHAPES = st.lists(st.sampled_from([0, 1, 2, 3, -1, 2**31, 2**62]), max_size=3)


@pytest.fixture(scope="module")
def flight_entry_points(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, EntryPoint]:
    return entry_points(plane(tmp_path_factory.mktemp("flights"), late_flights()))


@pytest.fixture(scope="module")
def number_entry_points(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, EntryPoint]:
    return entry_points(plane(tmp_path_factory.mktemp("minutes"), minutes()))


@pytest.mark.parametrize("name", good())
def test_the_good_bodies_are_predicted(flight_entry_points: Mapping[str, EntryPoint], name: str) -> None:
    body, length = good()[name]
    assert flight_entry_points[name.partition(",")[0]](body, length)


@RULES
@given(body=st.binary(max_size=200), length=st.integers(0, 300))
def test_junk(flight_entry_points: Mapping[str, EntryPoint], body: bytes, length: int) -> None:
    for predict in flight_entry_points.values():
        predict(body, length)


@RULES
@given(data=st.data(), name=st.sampled_from(sorted(good())))
def test_good_bodies_with_bytes_changed_cut_or_repeated(
    flight_entry_points: Mapping[str, EntryPoint], data: st.DataObject, name: str
) -> None:
    body, length = good()[name]
    spoilt = bytearray(body)
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(spoilt)))
        end = data.draw(st.integers(start, min(len(spoilt), start + 16)))
        spoilt[start:end] = data.draw(st.binary(max_size=8) | st.just(bytes(spoilt[start:end] * 2)))
    flight_entry_points[name.partition(",")[0]](bytes(spoilt), data.draw(st.just(length) | st.integers(0, len(spoilt) + 2)))


def replaced(tree: Any, data: st.DataObject) -> Any:
    """A copy in which something anywhere is something else, is there twice, or is gone."""
    keys: list[Any] = list(tree) if isinstance(tree, dict) else list(range(len(tree))) if isinstance(tree, list) else []
    if not keys or data.draw(st.integers(0, 4)) == 0:
        return data.draw(TREES)
    changed, key = (dict if isinstance(tree, dict) else list)(tree), data.draw(st.sampled_from(keys))
    if data.draw(st.integers(0, 9)) == 0:
        del changed[key]
    else:
        changed[key] = replaced(changed[key], data)
    return changed


@RULES
@given(data=st.data())
def test_good_json_with_something_replaced(flight_entry_points: Mapping[str, EntryPoint], data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(["JSON", "V1", "bytes"]))
    body, length = good()[name]
    document = json.loads(body[: length or None])
    for _ in range(data.draw(st.integers(1, 3))):
        document = replaced(document, data) if isinstance(document, dict) else document
    header = json.dumps(document).encode()
    flight_entry_points[name](header + (body[length:] if length else b""), len(header))


@RULES
@given(datatype=DATATYPES, shape=SHAPES, raw=st.binary(max_size=64))
@example(datatype="FP64", shape=[2**62, 2**62], raw=b"")
@example(datatype="BYTES", shape=[1, 2], raw=b"\xff\xff\xff\xff")
def test_any_raw_tensor(number_entry_points: Mapping[str, EntryPoint], datatype: str, shape: list[int], raw: bytes) -> None:
    described = {"name": "m", "datatype": datatype, "shape": shape, "parameters": {"binary_data_size": len(raw)}}
    header = json.dumps({"inputs": [described]}).encode()
    number_entry_points["bytes"](header + raw, len(header))
    message = oip.ModelInferRequest(model_name="x", raw_input_contents=[raw])
    message.inputs.add(name="m", datatype=datatype, shape=shape)
    number_entry_points["gRPC"](message.SerializeToString(), 0)


@RULES
@given(values=st.lists(st.floats(), min_size=2, max_size=2))
def test_any_number_is_predicted_or_refused_and_never_gives_what_json_cannot_hold(
    number_entry_points: Mapping[str, EntryPoint], values: list[float]
) -> None:
    body, headers = binary({"inputs": [tensor("m", "FP64", values, [1, 2])]})
    number_entry_points["bytes"](body, int(next(iter(headers.values()))))


@RULES
@given(datatype=DATATYPES, shape=SHAPES, data=st.data())
def test_any_typed_tensor(number_entry_points: Mapping[str, EntryPoint], datatype: str, shape: list[int], data: st.DataObject) -> None:
    message = oip.ModelInferRequest(model_name="x", id=data.draw(st.text(max_size=5)))
    item = message.inputs.add(name="m", datatype=datatype, shape=shape)
    item.contents.bytes_contents.extend(data.draw(st.lists(st.binary(max_size=4), max_size=3)))
    item.contents.fp64_contents.extend(data.draw(st.lists(st.floats(), max_size=3)))
    item.contents.int_contents.extend(data.draw(st.lists(st.integers(-(2**31), 2**31 - 1), max_size=3)))
    item.contents.uint64_contents.extend(data.draw(st.lists(st.integers(0, 2**64 - 1), max_size=3)))
    item.contents.bool_contents.extend(data.draw(st.lists(st.booleans(), max_size=3)))
    number_entry_points["gRPC"](message.SerializeToString(), 0)


def test_deep_nesting_is_refused_by_every_entry_point(flight_entry_points: Mapping[str, EntryPoint]) -> None:
    for opening in (b"[", b'{"inputs":', b'{"a":'):
        for predict in flight_entry_points.values():
            assert not predict(opening * 200_000, 200_000)
    assert not flight_entry_points["V1"](json.dumps({"inputs": flights(1)["inputs"]}).encode(), 0)


def test_a_coverage_guided_fuzzer_finds_no_body_that_breaks_the_server(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.model_server.support.guided_fuzz", str(tmp_path), str(length(50_000, 2_000_000))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=length(3_000, 30_000), check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert len(list((tmp_path / "found").iterdir())) > len(good())
