"""Keep pandas out of processes that only use pyarrow, which imports it wherever it is installed, to recognise its objects.

That costs a second and tens of megabytes, for nothing. Not here: anything that needs pandas.
"""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

_NAME = "pandas"


class _Absent(MetaPathFinder):
    """Says of pandas, and of nothing else, that it is not installed."""

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
