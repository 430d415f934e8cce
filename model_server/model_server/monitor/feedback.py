"""The endpoint for labels, reached only by the server beside the sidecar: answered once the labels are on the disk.

Not here: verifying prediction ids, which the server has done.
"""

import asyncio
import logging
import time

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ..link.labels import ROUTE_FEEDBACK, LabelsMessage
from .pod_counts import PodCounts
from .spool import SpoolError

_log = logging.getLogger(__name__)


def create_app(counts: PodCounts) -> Starlette:
    """Return the application with its one route."""

    async def feedback(request: Request) -> Response:
        document: LabelsMessage = orjson.loads(await request.body())
        try:
            acknowledgement = await asyncio.to_thread(counts.add_labels, document["labels"], time.time())
        except SpoolError as error:
            _log.error("%d labels are refused: %s", len(document["labels"]), error)
            return Response(status_code=503)
        return Response(orjson.dumps(acknowledgement), media_type="application/json")

    return Starlette(routes=[Route(ROUTE_FEEDBACK, feedback, methods=["POST"])])
