"""One thread for numeric libraries: small data needs no more, and idle threads would spin beside the other tests. And a shared pod.

The first is here, since the libraries read it when they are imported, which is after this file and before every fixture; so fixtures
import them late.
"""

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from devtools.pods import ServerPod

os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="module")
def number_pod() -> "Iterator[ServerPod]":
    """A server of a model of numbers, which must not fail by itself."""
    from devtools.bundles import minutes
    from devtools.pods import pod

    with pod(minutes()) as made:
        made.serve()
        yield made
        assert made.served("requests_total", code="500") == 0
