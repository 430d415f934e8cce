"""Falcon: one asynchronous resource, which reads the body."""

import os

import falcon.asgi

_ANSWER = os.environ["ANSWER"].encode()


class Echo:
    """Handles POST."""

    async def on_post(self, req, resp):
        """Echo."""
        await req.stream.read()
        resp.content_type = falcon.MEDIA_JSON
        resp.data = _ANSWER


app = falcon.asgi.App()
app.add_route("/", Echo())
