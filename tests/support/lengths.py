"""How long those tests run that could run for ever: short in `make test`, long in `make test-exhaustive`.

Not here: what they do.
"""

import os


def length(short: int, long: int) -> int:
    """Of examples, runs or requests."""
    return long if os.environ.get("EXHAUSTIVE") else short
