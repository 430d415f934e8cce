"""An ASGI application that takes a request whole and gives one answer, for servers that have no application of their own."""

import os

_ANSWER = os.environ["ANSWER"].encode()
_HEADERS = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(_ANSWER))]


async def app(scope, receive, send):
    """Echo."""
    if scope["type"] != "http":
        raise RuntimeError("there is nothing to start or to end")  # which is how an application says so
    while (await receive()).get("more_body", False):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
    await send({"type": "http.response.body", "body": _ANSWER})
