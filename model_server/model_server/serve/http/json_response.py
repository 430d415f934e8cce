"""Responses of JSON, and those of errors.

Not here: which error has which status (``status_codes.py``).
"""

from collections.abc import Mapping
from typing import Any

import orjson
from starlette.responses import Response

from ..errors import ServeError
from ..status_codes import HTTP_STATUSES, RETRY_SECONDS


def error_body(message: str) -> bytes:
    """Return the JSON of an error."""
    return orjson.dumps({"error": message})


def json_bytes_response(body: bytes, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return a response whose JSON is written already."""
    return Response(body, status, headers, media_type="application/json")


def json_response(document: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return a response of JSON."""
    return json_bytes_response(orjson.dumps(document), status, headers)


def error_response(status: int, message: str, headers: Mapping[str, str] | None = None) -> Response:
    """Return the response of an error, with Retry-After where it helps to try again."""
    retry = {"Retry-After": RETRY_SECONDS[status]} if status in RETRY_SECONDS else {}
    return json_bytes_response(error_body(message), status, {**(headers or {}), **retry})


def serve_error_response(error: ServeError, headers: Mapping[str, str] | None = None) -> Response:
    """Return the response of an error, with the status that it has."""
    return error_response(HTTP_STATUSES[type(error)], str(error), headers)
