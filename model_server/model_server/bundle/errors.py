"""Why a bundle is refused.

Not here: what is done about it.
"""


class BundleRefused(Exception):
    """The bundle must not be served.

    ``check`` is one word, as in the contract's ``Problem``; the message is one sentence that names what differs and the remedy.
    """

    def __init__(self, check: str, message: str) -> None:
        super().__init__(message)
        self.check = check


def first_line(error: Exception) -> str:
    """Return the first line of a library's error, to be quoted in a message of one sentence."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
