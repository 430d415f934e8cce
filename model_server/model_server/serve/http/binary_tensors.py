"""The binary tensor data extension of REST: tensors as raw bytes after the JSON, in requests and in responses.

The header ``Inference-Header-Content-Length`` tells where the JSON ends. Source: Triton's protocol extensions, "Binary tensor data
extension". Not here: the JSON of what is not binary (``oip_json.py``).
"""

from typing import Any, NamedTuple

from ..errors import InvalidRequest
from ..inference.raw_tensors import Raw, write_raw
from ..inference.tensors import OutputTensor

SIZE = "binary_data_size"
HEADER = "inference-header-content-length"


class BinaryResponse(NamedTuple):
    """A body of JSON and raw bytes; ``json_length`` is the JSON's."""

    body: bytes
    json_length: int


def json_length(header: str | bytes | None) -> int | None:
    """Read the header's value.

    Raises:
        InvalidRequest: it is no length.

    """
    if header is None:
        return None
    if not (header.isdigit() and header.isascii() and len(header) < 20):
        text = header if isinstance(header, str) else header.decode("latin-1")
        raise InvalidRequest(f"{HEADER} must be the length of the JSON in bytes, not '{text[:40]}'")
    return int(header)


class RawData:
    """What follows the JSON of a body; its tensors are read from it in their order."""

    def __init__(self, body: bytes, start: int) -> None:
        if start > len(body):
            raise InvalidRequest(f"{HEADER} is {start}, but the body has {len(body)} bytes: give the length of the JSON alone")
        self.json = body[:start]
        self._rest = memoryview(body)[start:]

    def read(self, name: str, size: Any) -> Raw:
        """Return the next tensor's bytes.

        Raises:
            InvalidRequest: there are not so many.

        """
        if type(size) is not int or not 0 <= size <= len(self._rest):
            raise InvalidRequest(f"tensor '{name}' has a {SIZE} of {str(size)[:40]}, but {len(self._rest)} bytes follow: give its length")
        raw, self._rest = self._rest[:size], self._rest[size:]
        return raw

    def end(self) -> None:
        """Check that all was taken.

        Raises:
            InvalidRequest: bytes are left.

        """
        if len(self._rest):
            raise InvalidRequest(f"{len(self._rest)} bytes of binary data belong to no tensor: give each tensor its {SIZE}")


def split(tensors: tuple[OutputTensor, ...], wanted: bool | frozenset[str]) -> tuple[list[dict[str, Any]], list[bytes]]:
    """Return the JSON of output tensors, and the bytes of those that are wanted as such (True: all)."""
    documents: list[dict[str, Any]] = []
    parts: list[bytes] = []
    for tensor in tensors:
        document: dict[str, Any] = {"name": tensor.name, "shape": tensor.shape, "datatype": tensor.datatype}
        if wanted is True or (wanted and tensor.name in wanted):
            parts.append(write_raw(tensor))
            document["parameters"] = {SIZE: len(parts[-1])}
        else:
            document["data"] = tensor.data
        documents.append(document)
    return documents, parts
