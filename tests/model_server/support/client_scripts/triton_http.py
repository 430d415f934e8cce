"""tritonclient.http against a model of late flights; prints what each call gave. Run by the clients' own Python."""

import asyncio
import json
import sys

import numpy as np
import tritonclient.http as triton
import tritonclient.http.aio as triton_aio
from tritonclient.utils import InferenceServerException

COLUMNS = {
    "distance": np.array([100.0, np.nan]),
    "wind": np.array([3, 4], np.int32),
    "carrier": np.array(["AA", "Zürich"], object),
    "holiday": np.array([True, False]),
}
DATATYPES = {"distance": "FP64", "wind": "INT32", "carrier": "BYTES", "holiday": "BOOL"}


def inputs(binary):
    made = []
    for name, values in COLUMNS.items():
        if not binary and name == "distance":
            values = np.array([100.0, 200.0])
        made.append(triton.InferInput(name, list(values.shape), DATATYPES[name]).set_data_from_numpy(values, binary_data=binary))
    return made


def unknown():
    return [triton.InferInput("y", [1], "BOOL").set_data_from_numpy(np.array([True]))]


def given(result):
    return {name: np.asarray(result.as_numpy(name)).astype(object).ravel().tolist() for name in ("predict", "predict_proba")}


def refused(call):
    try:
        call()
    except InferenceServerException as error:
        return str(error)
    return "not refused"


def wanted(binary):
    return [triton.InferRequestedOutput(name, binary_data=binary) for name in ("predict", "predict_proba")]


async def by_aio(address):
    async with triton_aio.InferenceServerClient(address) as client:
        return given(await client.infer("x", inputs(True), outputs=wanted(True)))


def main(address):
    client = triton.InferenceServerClient(address)
    calls = {
        "is_server_live": client.is_server_live,
        "is_server_ready": client.is_server_ready,
        "is_model_ready": lambda: client.is_model_ready("x", "x-v1"),
        "get_server_metadata": client.get_server_metadata,
        "get_model_metadata": lambda: client.get_model_metadata("x"),
        "get_model_repository_index": client.get_model_repository_index,
        "load_model": lambda: refused(lambda: client.load_model("x")),
        "unload_model": lambda: refused(lambda: client.unload_model("x")),
        "infer, bytes to bytes": lambda: given(client.infer("x", inputs(True))),
        "infer, bytes to JSON": lambda: given(client.infer("x", inputs(True), outputs=wanted(False))),
        "infer, JSON to bytes": lambda: given(client.infer("x", inputs(False), outputs=wanted(True), model_version="x-v1")),
        "infer, JSON to JSON": lambda: given(client.infer("x", inputs(False), outputs=wanted(False), request_id="7")),
        "infer, of an unknown column": lambda: refused(lambda: client.infer("x", unknown())),
        "async_infer": lambda: given(client.async_infer("x", inputs(True)).get_result()),
        "aio.infer": lambda: asyncio.run(by_aio(address)),
    }
    return {name: call() for name, call in calls.items()}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(sys.argv[1])))
