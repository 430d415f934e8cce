"""The same for RSGI, granian's own interface."""

import os

_ANSWER = os.environ["ANSWER"].encode()


async def app(_scope, protocol):
    """Echo."""
    await protocol()
    protocol.response_bytes(200, [("content-type", "application/json")], _ANSWER)
