"""What is made of mounted files, made again when they change; what cannot be used never takes the place of what is.

Not here: what the files hold.
"""

import logging
from collections.abc import Callable
from typing import Generic, TypeVar

_log = logging.getLogger(__name__)
Content = TypeVar("Content")
Made = TypeVar("Made")


class InvalidFile(Exception):
    """The files cannot be used; the message says which and why."""


class ReloadedFile(Generic[Content, Made]):
    """``value`` is what was made last. ``told`` is called with ``taken`` or ``refused`` after a change.

    Raises:
        Unusable: nothing can be made of the files as they are first.

    """

    def __init__(self, read: Callable[[], Content], make: Callable[[Content], Made], told: Callable[[str], None]) -> None:
        self._read, self._make, self._told = read, make, told
        self._seen = read()
        self._problem = ""
        self.value = make(self._seen)

    def look(self) -> None:
        """Make it again if the files have changed; to be called every second. A problem is logged and counted once."""
        try:
            content = self._read()
            if content == self._seen:
                self._problem = ""
                return
            self._seen = content
            self.value = self._make(content)
        except InvalidFile as error:
            if str(error) != self._problem:
                self._problem = str(error)
                _log.error("what was there before stays: %s", error)
                self._told("refused")
            return
        self._problem = ""
        _log.info("mounted files have changed, and were taken")
        self._told("taken")
