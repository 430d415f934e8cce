"""AES-CMAC (RFC 4493) of many messages of one length at once: one call of AES for a block of all of them, not one for each message.

A batch of 256 takes a seventh of the time of as many calls of HMAC. ``cryptography`` is imported when a key is first used: the sidecar
needs ids but no key. Not here: what is authenticated.
"""

from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

TAG_BYTES = 16
Bytes = NDArray[np.uint8]
_POLYNOMIAL = 0x87  # of the field of 2**128 elements, as the RFC has it


class Cmac:
    """Computes tags with one key, of 16, 24 or 32 bytes; safe to be used by several threads."""

    def __init__(self, key: bytes) -> None:
        from cryptography.hazmat.primitives.ciphers import Cipher
        from cryptography.hazmat.primitives.ciphers.algorithms import AES
        from cryptography.hazmat.primitives.ciphers.modes import ECB

        self._aes: Any = Cipher(AES(key), ECB()).encryptor()  # noqa: S305 (the block cipher alone is what CMAC is made of)
        self._lock = Lock()
        once = _doubled(self._encrypted(np.zeros((1, TAG_BYTES), np.uint8)).tobytes())
        self._whole, self._filled = (np.frombuffer(subkey, np.uint8) for subkey in (once, _doubled(once)))

    def tags(self, messages: Bytes) -> Bytes:
        """Return the tags, rows x 16, of ``messages``: rows x bytes."""
        rows, length = messages.shape
        last = max(0, length - 1) // TAG_BYTES * TAG_BYTES
        padded = np.zeros((rows, last + TAG_BYTES), np.uint8)
        padded[:, :length] = messages
        if length == last + TAG_BYTES:
            padded[:, last:] ^= self._whole
        else:
            padded[:, length] = 0x80
            padded[:, last:] ^= self._filled
        tags = self._encrypted(padded[:, :TAG_BYTES])
        for start in range(TAG_BYTES, last + TAG_BYTES, TAG_BYTES):
            tags = self._encrypted(tags ^ padded[:, start : start + TAG_BYTES])
        return tags

    def _encrypted(self, blocks: Bytes) -> Bytes:
        with self._lock:
            return np.frombuffer(self._aes.update(blocks.tobytes()), np.uint8).reshape(blocks.shape)


def tag(key: bytes, message: bytes) -> bytes:
    """Return the tag of one message, by the library's own CMAC."""
    from cryptography.hazmat.primitives.ciphers.algorithms import AES
    from cryptography.hazmat.primitives.cmac import CMAC

    made = CMAC(AES(key))
    made.update(message)
    return made.finalize()


def _doubled(block: bytes) -> bytes:
    """Multiply by x in the field."""
    number = int.from_bytes(block, "big") << 1
    if number >> 128:
        number = (number & ((1 << 128) - 1)) ^ _POLYNOMIAL
    return number.to_bytes(TAG_BYTES, "big")
