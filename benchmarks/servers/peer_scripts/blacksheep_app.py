"""BlackSheep: one handler, which reads the body."""

import os

from blacksheep import Application, Content, Response, post

_ANSWER = os.environ["ANSWER"].encode()
app = Application()


@post("/")
async def echo(request):
    """Echo."""
    await request.read()
    return Response(200, content=Content(b"application/json", _ANSWER))
