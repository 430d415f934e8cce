"""Keep processes small: pandas out of those that only use pyarrow, and one malloc arena for those that compute in one thread at a time.

pyarrow imports pandas wherever it is installed, to recognise its objects, which costs a second and tens of megabytes. glibc gives each
thread an arena of its own, and does not return freed memory to the kernel. Not here: anything that needs pandas.
"""

import ctypes
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

_NAME = "pandas"
_M_ARENA_MAX = -8  # glibc's malloc.h
_LIBRARY = ctypes.CDLL(None)


class _Absent(MetaPathFinder):
    """Reports pandas, and nothing else, as not installed."""

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:  # noqa: ARG002 (the protocol's)
        if fullname == _NAME:
            raise ModuleNotFoundError(f"{_NAME} is kept out of this process", name=_NAME)
        return None


@contextmanager
def without_pandas() -> Iterator[None]:
    """Let the import of pandas fail in this block, unless it was imported before; pyarrow then does without it for good."""
    finder = _Absent()
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


def use_single_arena() -> None:
    """Let threads that are started from now on share the first arena; other C libraries than glibc do so anyway."""
    set_option = getattr(_LIBRARY, "mallopt", None)
    if set_option is not None:
        set_option(_M_ARENA_MAX, 1)


def trim_heap() -> None:
    """Return free memory to the kernel, after work that needs much of it now and then."""
    trim = getattr(_LIBRARY, "malloc_trim", None)
    if trim is not None:
        trim(0)
