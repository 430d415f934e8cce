"""Tags of many messages at once are those that the library computes of each, and those of the standard."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from model_server.prediction_id.cmac import Cmac, tag

RFC_KEY = bytes.fromhex("2b7e151628aed2a6abf7158809cf4f3c")
RFC_MESSAGE = bytes.fromhex("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e5130c81c46a35ce411")


@pytest.mark.parametrize(
    ("length", "expected"),
    [
        (0, "bb1d6929e95937287fa37d129b756746"),
        (16, "070a16b46b4d4144f79bdd9dd04a287c"),
        (40, "dfa66747de9ae63030ca32611497c827"),
    ],
)
def test_tags_are_those_of_the_standard(length: int, expected: str) -> None:
    """RFC 4493, section 4."""
    message = np.frombuffer(RFC_MESSAGE[:length], np.uint8).reshape(1, length)
    assert Cmac(RFC_KEY).tags(message).tobytes().hex() == expected


@given(key=st.binary(min_size=32, max_size=32), rows=st.integers(0, 5), length=st.integers(0, 70), seed=st.integers(0, 2**32 - 1))
def test_tags_of_many_messages_are_those_of_each(key: bytes, rows: int, length: int, seed: int) -> None:
    messages = np.random.default_rng(seed).integers(0, 256, (rows, length), np.uint8)
    assert [found.tobytes() for found in Cmac(key).tags(messages)] == [tag(key, message.tobytes()) for message in messages]
