"""tritonclient.grpc against a model of late flights; prints what each call gave. Run by the clients' own Python."""

import asyncio
import json
import queue
import sys

import tritonclient.grpc as triton
import tritonclient.grpc.aio as triton_aio
from triton_http import COLUMNS, DATATYPES, given, refused


def inputs():
    made = [triton.InferInput(name, list(values.shape), DATATYPES[name]) for name, values in COLUMNS.items()]
    for item, values in zip(made, COLUMNS.values(), strict=True):
        item.set_data_from_numpy(values)
    return made


def by_callback(client):
    answers = queue.Queue()
    client.async_infer("x", inputs(), callback=lambda result, error: answers.put(error or result))
    return given(answers.get(timeout=20))


async def by_aio(address):
    async with triton_aio.InferenceServerClient(address) as client:
        return given(
            await client.infer("x", inputs(), outputs=[triton.InferRequestedOutput(name) for name in ("predict", "predict_proba")])
        )


def main(address):
    client = triton.InferenceServerClient(address)
    calls = {
        "is_server_live": client.is_server_live,
        "is_server_ready": client.is_server_ready,
        "is_model_ready": lambda: client.is_model_ready("x", "x-v1"),
        "get_server_metadata": lambda: client.get_server_metadata(as_json=True),
        "get_model_metadata": lambda: client.get_model_metadata("x", as_json=True),
        "get_model_repository_index": lambda: client.get_model_repository_index(as_json=True),
        "load_model": lambda: refused(lambda: client.load_model("x")),
        "unload_model": lambda: refused(lambda: client.unload_model("x")),
        "infer": lambda: given(client.infer("x", inputs(), model_version="x-v1", request_id="7")),
        "infer, compressed": lambda: given(client.infer("x", inputs(), compression_algorithm="gzip")),
        "infer, of another model": lambda: refused(lambda: client.infer("y", inputs())),
        "async_infer": lambda: by_callback(client),
        "aio.infer": lambda: asyncio.run(by_aio(address)),
    }
    return {name: call() for name, call in calls.items()}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(sys.argv[2])))
