"""Which ports this process listens on: the contract's in a pod, moved by ``$MLMODEL_PORT_OFFSET`` where pods share a network (tests).

Not here: the ports themselves, which are constants of the contract.
"""

import os
import socket

ENV_PORT_OFFSET = "MLMODEL_PORT_OFFSET"


def port(number: int) -> int:
    """Return the port to use for one of the contract's ports."""
    return number + int(os.environ.get(ENV_PORT_OFFSET, "0"))


def listen(number: int, backlog: int, *, shared: bool = False) -> socket.socket:
    """Listen on one of the contract's ports, by IPv6 and IPv4 where the machine has both; other processes may share the port."""
    if socket.has_dualstack_ipv6():
        return socket.create_server(("", port(number)), family=socket.AF_INET6, dualstack_ipv6=True, backlog=backlog, reuse_port=shared)
    return socket.create_server(("", port(number)), backlog=backlog, reuse_port=shared)


def address(number: int) -> str:
    """Return what to listen on for a library that opens one of the contract's ports by itself."""
    return f"[::]:{port(number)}" if socket.has_dualstack_ipv6() else f"0.0.0.0:{port(number)}"
