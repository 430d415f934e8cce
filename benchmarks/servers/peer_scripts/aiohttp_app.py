"""aiohttp's own server on uvloop: one handler, which reads the body."""

import os

import uvloop
from aiohttp import web

_ANSWER = os.environ["ANSWER"].encode()


async def echo(request):
    """Echo."""
    await request.read()
    return web.Response(body=_ANSWER, content_type="application/json")


app = web.Application()
app.add_routes([web.post("/", echo)])
web.run_app(app, host="127.0.0.1", port=int(os.environ["PORT"]), access_log=None, print=None, loop=uvloop.new_event_loop())
