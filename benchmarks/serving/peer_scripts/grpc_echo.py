"""grpc.aio's echo: takes the same call as a server of the protocol, and answers with what it got, as bytes."""

import asyncio
import sys

import grpc


class Echo(grpc.GenericRpcHandler):
    """Handles every call."""

    def service(self, _details):
        """Return the handler."""
        return grpc.unary_unary_rpc_method_handler(self._echo)

    async def _echo(self, request, _context):
        return request


async def main(port: int) -> None:
    """Serve until ended."""
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((Echo(),))
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    await server.wait_for_termination()


asyncio.run(main(int(sys.argv[1])))
