"""Packed text: a value as base64 of deflated JSON, which a string of a status can hold (``ModelVersion.status.evidence``).

Not here: what is packed.
"""

import base64
import zlib
from typing import Generic, TypeVar

from pydantic import TypeAdapter

LARGEST_CONTENT = 64_000_000
"""Bytes that a text may unpack to."""

T = TypeVar("T")


class PackedText(Generic[T]):
    """Packs values of one class, such as a frozen dataclass, exactly.

    >>> counts = PackedText(tuple[int, ...])
    >>> counts.unpack(counts.pack((1, 2, 3)))
    (1, 2, 3)
    """

    def __init__(self, kind: type[T]) -> None:
        self._adapter = TypeAdapter(kind)

    def pack(self, value: T) -> str:
        """Return the value as text."""
        return base64.b64encode(zlib.compress(self._adapter.dump_json(value))).decode("ascii")

    def unpack(self, text: str) -> T:
        """Return the value that ``pack`` made the text of.

        Raises:
            ValueError: the text is damaged, or of another class.

        """
        try:
            content = zlib.decompressobj().decompress(base64.b64decode(text, validate=True), LARGEST_CONTENT)
        except zlib.error as error:
            raise ValueError(f"the text cannot be inflated: {error}") from error
        return self._adapter.validate_json(content)
