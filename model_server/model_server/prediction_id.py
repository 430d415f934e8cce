"""Prediction ids: signed text that carries all that is needed to score a label which comes back for the prediction.

An id holds the version, the time, the predicted value, the groups that its row belongs to, and a number that makes it unique, and is
signed with the model's key: it is valid on every replica, after restarts, and for versions that are gone. It hides nothing. Not here:
labels and losses.

Layout before base64url: format (1 byte), milliseconds since the epoch (8), process (4), row (4), length of the version's name (1), the
name, number of values (2), the values, number of groups (1), the groups (1 each), signature (16: HMAC-SHA256, truncated). One value is a
float64: the positive class's probability, or the number. Several are float32: the probabilities of more than two classes.
"""

import binascii
import hmac
import secrets
import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import b2a_base64
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import repeat
from pathlib import Path
from threading import Lock

import numpy as np

SIGNATURE_BYTES = 16
_KEY_BYTES = 32
_BLOCK_BYTES = 64
_URL_SAFE = bytes.maketrans(b"+/", b"-_")
_FORMAT = 2
_LONGEST = 100_000
_HEAD = struct.Struct(">BQIIB")
_START = struct.Struct(">BQI")
_COUNT = struct.Struct(">H")


class IdError(Exception):
    """The id was not made with this key; the message is for the one who sent it."""


@dataclass(frozen=True)
class PredictionId:
    """What an id says.

    ``milliseconds`` since the epoch; ``values``: one (the positive class's probability, or the number) or a probability for each class;
    ``groups``: places among the ``slices`` of the version's schema.
    """

    version: str
    milliseconds: int
    values: tuple[float, ...]
    groups: tuple[int, ...]


def read_key(path: Path) -> bytes:
    """Read the model's key.

    Raises:
        IdError: there is no key, or it is too short.

    """
    try:
        key = path.read_bytes()
    except OSError as error:
        raise IdError(f"the key of prediction ids cannot be read at {path}: mount the model's Secret there") from error
    if len(key) < _KEY_BYTES:
        raise IdError(f"the key of prediction ids at {path} has {len(key)} bytes: it needs {_KEY_BYTES} random ones")
    return key


class Signer:
    """Makes the ids of one server process; safe to be used by several threads."""

    def __init__(self, key: bytes, version: str) -> None:
        self._inner, self._outer = (sha256(bytes(byte ^ pad for byte in _block(key))) for pad in (0x36, 0x5C))
        self._version = version.encode()
        self._process = secrets.randbits(32)
        self._rows = 0
        self._lock = Lock()

    def sign(self, milliseconds: int, predictions: np.ndarray, groups: Sequence[bytes] | None = None) -> list[str]:
        """Make an id for each row of ``predictions``: rows x classes, or rows x 1; ``groups`` has a byte for each group of a row."""
        number = len(predictions)
        values, classes = _packed(predictions)
        width = len(values) // max(number, 1)
        before = _START.pack(_FORMAT, milliseconds, self._process)
        after = b"%c%b%b" % (len(self._version), self._version, _COUNT.pack(classes))
        rows = self._take(number)
        ends = repeat(b"\0", number) if groups is None else [b"%c%b" % (len(of_row), of_row) for of_row in groups]
        contents = [
            b"%b%b%b%b%b" % (before, rows[4 * row : 4 * row + 4], after, values[width * row : width * row + width], end)
            for row, end in enumerate(ends)
        ]
        return _texts([content + signature for content, signature in zip(contents, self._signatures(contents), strict=True)])

    def _take(self, number: int) -> bytes:
        """Return the next numbers of rows, four bytes each."""
        with self._lock:
            first, self._rows = self._rows, self._rows + number
        return np.arange(first, first + number).astype(">u4").tobytes()

    def _signatures(self, contents: Sequence[bytes]) -> list[bytes]:
        """HMAC-SHA256 with the two hashes of the key made once, which takes a third of the time; ``verify`` uses the library's own."""
        of_inner, of_outer, signatures = self._inner.copy, self._outer.copy, []
        for content in contents:
            inner = of_inner()
            inner.update(content)
            outer = of_outer()
            outer.update(inner.digest())
            signatures.append(outer.digest()[:SIGNATURE_BYTES])
        return signatures


def verify(key: bytes, text: str) -> PredictionId:
    """Read an id.

    Raises:
        IdError: the text is no id, or was not signed with this key.

    """
    raw = _decoded(text)
    content, signature = raw[:-SIGNATURE_BYTES], raw[-SIGNATURE_BYTES:]
    if not hmac.compare_digest(signature, _signature(key, content)):
        raise IdError("the prediction id's signature is wrong: send the id as the model's response gave it")
    version_at = _HEAD.size
    form, milliseconds, _, _, length = _HEAD.unpack_from(content)
    if form != _FORMAT:
        raise IdError(f"the prediction id has the format {form}, which this server does not read")
    (number,) = _COUNT.unpack_from(content, version_at + length)
    values_at = version_at + length + _COUNT.size
    values = np.frombuffer(content, dtype=">f8" if number == 1 else ">f4", offset=values_at, count=number)
    groups = content[values_at + values.nbytes + 1 :]
    return PredictionId(content[version_at : version_at + length].decode(), milliseconds, tuple(values.tolist()), tuple(groups))


def signature(text: str) -> bytes:
    """Return the signature of a verified id: 16 bytes that no other id shares."""
    return _decoded(text)[-SIGNATURE_BYTES:]


def _block(key: bytes) -> bytes:
    """Return the key as HMAC takes it: a block of SHA-256."""
    return (key if len(key) <= _BLOCK_BYTES else sha256(key).digest()).ljust(_BLOCK_BYTES, b"\0")


def _packed(predictions: np.ndarray) -> tuple[bytes, int]:
    if predictions.shape[1] == 2:
        return predictions[:, 1].astype(">f8").tobytes(), 1
    number = predictions.shape[1]
    return predictions.astype(">f8" if number == 1 else ">f4").tobytes(), number


def _signature(key: bytes, content: bytes) -> bytes:
    return hmac.digest(key, content, "sha256")[:SIGNATURE_BYTES]


def _texts(records: Sequence[bytes]) -> list[str]:
    """Return records as base64url without padding; filled up to one length of whole groups of three bytes, they are written at once."""
    longest = -(-max(map(len, records), default=0) // 3) * 3
    filled = b"".join([record.ljust(longest, b"\0") for record in records])
    text = b2a_base64(filled, newline=False).translate(_URL_SAFE).decode()
    width = longest // 3 * 4
    return [text[start : start - (-4 * len(record) // 3)] for start, record in zip(range(0, len(text), width or 1), records, strict=True)]


def _decoded(text: str) -> bytes:
    """Base64 has several spellings of the same bytes; only the one that was given out is taken: rows and labels are joined by it."""
    try:
        raw = urlsafe_b64decode(text + "=" * (-len(text) % 4)) if len(text) <= _LONGEST else b""
    except (binascii.Error, ValueError) as error:
        raise IdError("the prediction id is no text that this model gave out") from error
    if len(raw) < _HEAD.size + _COUNT.size + SIGNATURE_BYTES or urlsafe_b64encode(raw).rstrip(b"=").decode() != text:
        raise IdError("the prediction id is no text that this model gave out")
    return raw
