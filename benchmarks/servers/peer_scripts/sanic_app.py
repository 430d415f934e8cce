"""Sanic's own server in one process: one handler; the body was read before it is called."""

import os

from sanic import Sanic
from sanic.response import HTTPResponse

_ANSWER = os.environ["ANSWER"].encode()
app = Sanic("echo")


@app.post("/")
async def echo(_request):
    """Echo."""
    return HTTPResponse(_ANSWER, content_type="application/json")


if __name__ == "__main__":
    app.run("127.0.0.1", int(os.environ["PORT"]), single_process=True, access_log=False, motd=False)
