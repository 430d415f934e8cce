"""Free TCP ports for throw-away servers."""

import socket
from contextlib import ExitStack

from devtools.cluster.settings import Ports


def free_ports(count: int, address: str = "127.0.0.1") -> list[int]:
    """Ports that nobody listens on now, all different."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind((address, 0))
        return [one.getsockname()[1] for one in sockets]


def free_control_plane_ports() -> Ports:
    """Free ports for a whole control plane."""
    return Ports(*free_ports(5))
