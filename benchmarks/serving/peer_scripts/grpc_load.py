"""``grpc_load.py PORT MODEL CONNECTIONS SECONDS REPEATS < rows``: keep calls under way by grpc.aio; print calls per second, the median.

Each call is one row, sent as raw bytes as Triton's clients do. Answers are counted, not parsed; an error ends it all.
"""

import asyncio
import json
import statistics
import sys
import time

import grpc
import numpy as np
from kserve.protocol.grpc import grpc_predict_v2_pb2 as messages

_CALL = "/inference.GRPCInferenceService/ModelInfer"
_WARM_UP_SECONDS = 1.0
port, model, connections, seconds, repeats = sys.argv[1], sys.argv[2], *(int(word) for word in sys.argv[3:])


def request(row):
    """Write one call."""
    tensor = messages.ModelInferRequest.InferInputTensor(name="predict", datatype="FP64", shape=[1, len(row)])
    content = np.array(row, np.float64).tobytes()
    return messages.ModelInferRequest(model_name=model, inputs=[tensor], raw_input_contents=[content]).SerializeToString()


async def call(requests: list[bytes], until: float) -> int:
    """Call one after another over a connection of its own; return how many."""
    done = 0
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=[("grpc.use_local_subchannel_pool", 1)]) as channel:
        infer = channel.unary_unary(_CALL)
        while time.perf_counter() < until:
            await infer(requests[done % len(requests)], wait_for_ready=True, timeout=10)
            done += 1
    return done


async def measure(requests: list[bytes], length: float) -> float:
    """Return calls per second."""
    began = time.perf_counter()
    done = await asyncio.gather(*(call(requests, began + length) for _ in range(connections)))
    return sum(done) / (time.perf_counter() - began)


async def main() -> None:
    """Warm up, and measure."""
    requests = [request(row) for row in json.load(sys.stdin)]
    await measure(requests, _WARM_UP_SECONDS)
    print(statistics.median([await measure(requests, seconds) for _ in range(repeats)]))  # noqa: T201


asyncio.run(main())
