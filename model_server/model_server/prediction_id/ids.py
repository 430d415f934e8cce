"""Prediction ids: signed text that carries all that is needed to score a label which comes back for the prediction.

An id holds the version, the time, the predicted value, the groups that its row belongs to, and a number that makes it unique, and is
signed with the model's key: it is valid on every replica, after restarts, and for versions that are gone. It hides nothing. Not here:
labels and losses.

Layout before base64url: format (1 byte), milliseconds since the epoch (8), process (4), row (4), length of the version's name (1), the
name, number of values (2), the values, number of sliced columns (1), the row's group in each (1 each; 255: in none), signature (16:
AES-CMAC). One value is a float64: the positive class's probability, or the number. Several are float32: the probabilities of more than two
classes. All ids of a batch are so of one length, and are made together.
"""

import binascii
import hmac
import secrets
import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import b2a_base64
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

import numpy as np

from .cmac import TAG_BYTES, Bytes, Cmac, tag

NO_GROUP = 255
_KEY_BYTES = 32
_URL_SAFE = bytes.maketrans(b"+/", b"-_")
_FORMAT = 3
_LONGEST = 100_000
_START = struct.Struct(">BQI")
_HEAD = struct.Struct(">BQIIB")
_COUNT = struct.Struct(">H")
_ROW_AT, _ROW_BYTES = _START.size, 4
_PURPOSE = b"AES-CMAC of prediction ids"


class IdError(Exception):
    """The id was not made with this key; the message is for the one who sent it."""


@dataclass(frozen=True)
class PredictionId:
    """What an id says.

    ``milliseconds`` since the epoch; ``values``: one (the positive class's probability, or the number) or a probability for each class;
    ``groups``: indexes into the ``slices`` of the version's schema.
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
        self._cmac = Cmac(_derived_key(key))
        self._version = version.encode()
        self._process = secrets.randbits(32)
        self._rows = 0
        self._lock = Lock()

    def sign(self, milliseconds: int, predictions: np.ndarray, groups: Bytes | None = None) -> list[str]:
        """Make an id for each row of ``predictions``: rows x classes, or rows x 1; ``groups`` is rows x sliced columns."""
        rows = len(predictions)
        values = _packed(predictions)
        groups = np.empty((rows, 0), np.uint8) if groups is None else groups
        start = _START.pack(_FORMAT, milliseconds, self._process) + bytes(_ROW_BYTES)
        name = b"%c%b%b" % (len(self._version), self._version, _COUNT.pack(_values(predictions)))
        before, after = len(start + name), len(start + name) + values.shape[1]
        length = after + 1 + groups.shape[1]
        records = np.zeros((rows, -(-(length + TAG_BYTES) // 3) * 3), np.uint8)  # whole groups of base64: of all rows at once
        records[:, :before] = np.frombuffer(start + name, np.uint8)
        records[:, _ROW_AT : _ROW_AT + _ROW_BYTES] = self._numbers(rows)
        records[:, before:after] = values
        records[:, after] = groups.shape[1]
        records[:, after + 1 : length] = groups
        records[:, length : length + TAG_BYTES] = self._cmac.tags(records[:, :length])
        return _texts(records, length + TAG_BYTES)

    def _numbers(self, rows: int) -> Bytes:
        """Return the next numbers of rows, rows x 4 bytes."""
        with self._lock:
            first, self._rows = self._rows, self._rows + rows
        return np.arange(first, first + rows).astype(">u4").view(np.uint8).reshape(rows, _ROW_BYTES)


def verify(key: bytes, text: str) -> PredictionId:
    """Read an id.

    Raises:
        IdError: the text is no id, or was not signed with this key.

    """
    raw = _decoded(text)
    content, signature = raw[:-TAG_BYTES], raw[-TAG_BYTES:]
    if not hmac.compare_digest(signature, tag(_derived_key(key), content)):
        raise IdError("the prediction id's signature is wrong: send the id as the model's response gave it")
    version_at = _HEAD.size
    form, milliseconds, _, _, length = _HEAD.unpack_from(content)
    if form != _FORMAT:
        raise IdError(f"the prediction id has the format {form}, which this server does not read")
    (number,) = _COUNT.unpack_from(content, version_at + length)
    values_at = version_at + length + _COUNT.size
    values = np.frombuffer(content, dtype=">f8" if number == 1 else ">f4", offset=values_at, count=number)
    groups = content[values_at + values.nbytes + 1 :]
    named = tuple(group for group in groups if group != NO_GROUP)
    return PredictionId(content[version_at : version_at + length].decode(), milliseconds, tuple(values.tolist()), named)


def signature(text: str) -> bytes:
    """Return the signature of a verified id: 16 bytes that no other id shares."""
    return _decoded(text)[-TAG_BYTES:]


def _derived_key(key: bytes) -> bytes:
    """Derive an AES key of 32 bytes from the model's key, for this purpose alone."""
    return hmac.digest(key, _PURPOSE, "sha256")


def _values(predictions: np.ndarray) -> int:
    """Return how many values an id has: of two classes only the second's."""
    classes: int = predictions.shape[1]
    return 1 if classes == 2 else classes


def _packed(predictions: np.ndarray) -> Bytes:
    """Return the values of ids: rows x bytes."""
    number = _values(predictions)
    values = np.ascontiguousarray(predictions[:, -number:], ">f8" if number == 1 else ">f4")
    return values.view(np.uint8).reshape(len(predictions), values.itemsize * number)


def _texts(records: Bytes, length: int) -> list[str]:
    """Return the first ``length`` bytes of each record as base64url; records are whole groups of three bytes, and 0 behind ``length``."""
    rows, stride = records.shape
    text = b2a_base64(records.tobytes(), newline=False).translate(_URL_SAFE).decode("ascii")
    width, used = stride // 3 * 4, -(-4 * length // 3)
    return [text[start : start + used] for start in range(0, rows * width, width)]


def _decoded(text: str) -> bytes:
    """Base64 has several spellings of the same bytes; only the one that was issued is accepted: rows and labels are joined by it."""
    try:
        raw = urlsafe_b64decode(text + "=" * (-len(text) % 4)) if len(text) <= _LONGEST else b""
    except (binascii.Error, ValueError) as error:
        raise IdError("the prediction id is no text that this model gave out") from error
    if len(raw) < _HEAD.size + _COUNT.size + TAG_BYTES or urlsafe_b64encode(raw).rstrip(b"=").decode() != text:
        raise IdError("the prediction id is no text that this model gave out")
    return raw
