"""Robyn: one asynchronous route; the body was read before it is called. ``--log-level`` and others are Robyn's own options."""

import os

from robyn import Headers, Response, Robyn

_ANSWER = os.environ["ANSWER"].encode()
app = Robyn(__file__)


@app.post("/")
async def echo(request):  # noqa: ARG001 - its name asks for the request
    """Echo."""
    return Response(200, Headers({"content-type": "application/json"}), _ANSWER)


app.start("127.0.0.1", int(os.environ["PORT"]))
