"""Applications that ask a model at a steady pace, whether or not the answers come: over persistent connections, over a new one for each
request, and by gRPC. Nothing is tried again, so that every request that fails is counted.

MODEL and HOST in the environment say which, SECONDS bounds its life. With TRUSTED, a certificate in PEM, they speak TLS, and show KEY,
an API key. Prints a line of JSON, the counts of each way so far, about once
a second.
"""

import asyncio
import json
import os
import ssl
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import grpc
import httpx
from model_server.serve.grpc.oip import open_inference_pb2 as oip

PER_SECOND = 20
_TIMEOUT_SECONDS = 20
_NUMBERS, _TEXT = {"x": 0.5, "z": -0.5}, "a"
Ask = Callable[[], Awaitable[None]]


class Failed(Exception):
    """A request that was not answered with a prediction."""


class RequestLoop:
    """Sends requests in one way, and counts what came of them."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self.counts: Counter[str] = Counter()
        self.errors: list[str] = []

    async def run(self, until: float) -> None:
        """Send each request at its time, however many wait for their answers."""
        loop, asked = asyncio.get_running_loop(), set[asyncio.Task[None]]()
        due = loop.time()
        while loop.time() < until:
            task = asyncio.create_task(self._one())
            asked.add(task)
            task.add_done_callback(asked.discard)
            due += 1 / PER_SECOND
            await asyncio.sleep(max(0.0, due - loop.time()))
        await asyncio.gather(*asked)

    async def _one(self) -> None:
        self.counts["sent"] += 1
        try:
            await self._ask()
            self.counts["answered"] += 1
        except (Failed, httpx.HTTPError, grpc.aio.AioRpcError) as failure:
            self.counts["failed"] += 1
            self.errors = [*self.errors, f"{time.strftime('%H:%M:%S')} {type(failure).__name__}: {failure}"][-5:]


def document() -> dict[str, Any]:
    """A row, as an inference request."""
    inputs = [{"name": name, "shape": [1], "datatype": "FP64", "data": [value]} for name, value in _NUMBERS.items()]
    inputs.append({"name": "c", "shape": [1], "datatype": "BYTES", "data": [_TEXT]})
    return {"inputs": inputs}


def message(model: str) -> oip.ModelInferRequest:
    """The same for gRPC."""
    request = oip.ModelInferRequest(model_name=model)
    for name, value in _NUMBERS.items():
        request.inputs.add(name=name, datatype="FP64", shape=[1]).contents.fp64_contents.append(value)
    request.inputs.add(name="c", datatype="BYTES", shape=[1]).contents.bytes_contents.append(_TEXT.encode())
    return request


def rest(http: httpx.AsyncClient, url: str) -> Ask:
    """Ask over HTTP."""
    content = document()

    async def ask() -> None:
        answer = await http.post(url, json=content)
        if answer.status_code != httpx.codes.OK:
            raise Failed(f"{answer.status_code}: {answer.text[:300]}")

    return ask


def rpc(channel: grpc.aio.Channel, model: str, headers: Mapping[str, str]) -> Ask:
    """Ask by gRPC."""
    request = message(model)
    infer: Any = channel.unary_unary("/inference.GRPCInferenceService/ModelInfer", oip.ModelInferRequest.SerializeToString)

    async def ask() -> None:
        await infer(request, metadata=tuple(headers.items()), timeout=_TIMEOUT_SECONDS)

    return ask


async def _print_counts(ways: dict[str, RequestLoop]) -> None:
    while True:
        print(json.dumps({name: {**way.counts, "errors": way.errors} for name, way in ways.items()}), flush=True)  # noqa: T201 (its output)
        await asyncio.sleep(1)


def _http(trusted: str, headers: Mapping[str, str]) -> httpx.AsyncClient:
    verify = ssl.create_default_context(cadata=trusted) if trusted else True
    return httpx.AsyncClient(timeout=_TIMEOUT_SECONDS, trust_env=False, verify=verify, headers=headers)


def _channel(trusted: str, address: str) -> grpc.aio.Channel:
    if trusted:
        return grpc.aio.secure_channel(address, grpc.ssl_channel_credentials(trusted.encode()))
    return grpc.aio.insecure_channel(address)


async def main() -> None:
    """Ask in all ways at once."""
    model, host, trusted, key = (os.environ.get(name, "") for name in ("MODEL", "HOST", "TRUSTED", "KEY"))
    url = f"{'https' if trusted else 'http'}://{host}/v2/models/{model}/infer"
    shown = {"authorization": f"Bearer {key}"} if key else {}
    until = asyncio.get_running_loop().time() + float(os.environ["SECONDS"])
    async with (
        _http(trusted, shown) as keepalive,
        _http(trusted, {**shown, "Connection": "close"}) as single,
        _channel(trusted, f"{host}:8081") as channel,
    ):
        ways = {
            "keepalive": RequestLoop(rest(keepalive, url)),
            "single": RequestLoop(rest(single, url)),
            "grpc": RequestLoop(rpc(channel, model, shown)),
        }
        printing = asyncio.create_task(_print_counts(ways))
        await asyncio.gather(*(way.run(until) for way in ways.values()))
        printing.cancel()


if __name__ == "__main__":
    asyncio.run(main())
