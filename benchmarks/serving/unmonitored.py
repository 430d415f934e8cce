"""``python -m benchmarks.serving.unmonitored serve``: our server with nothing handed over, which is what monitoring is held against.

A server that only lacks its sidecar would look for it at each request, and pay for that. Not here: anything else of the server.
"""

from model_server.__main__ import main
from model_server.serve.row_sender import RowSender


def _nothing(*_: object) -> None:
    """Hand nothing over."""


if __name__ == "__main__":
    for method in (RowSender.send, RowSender.send_heartbeat):
        setattr(RowSender, method.__name__, _nothing)
    main()
