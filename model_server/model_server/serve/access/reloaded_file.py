"""A value loaded from mounted files, and loaded again when they change; invalid files never replace a valid value.

Not here: what the files hold.
"""

import logging
from collections.abc import Callable
from typing import Generic, TypeVar

_log = logging.getLogger(__name__)
Content = TypeVar("Content")
Value = TypeVar("Value")


class InvalidFile(Exception):
    """The files cannot be used; the message says which and why."""


class ReloadedFile(Generic[Content, Value]):
    """``value`` is what was loaded last.

    Args:
        read: returns the files' content; may raise ``InvalidFile``.
        load: returns the value of a content; may raise ``InvalidFile``.
        on_reload: called after a change with ``taken`` or ``refused``.

    Raises:
        InvalidFile: the files are invalid from the start.

    """

    def __init__(self, read: Callable[[], Content], load: Callable[[Content], Value], on_reload: Callable[[str], None]) -> None:
        self._read, self._load, self._on_reload = read, load, on_reload
        self._content = read()
        self._problem = ""
        self.value = load(self._content)

    def reload_if_changed(self) -> None:
        """Load the value again if the files have changed; to be called every second. A problem is logged and counted once."""
        try:
            content = self._read()
            if content == self._content:
                self._problem = ""
                return
            self._content = content
            self.value = self._load(content)
        except InvalidFile as error:
            if str(error) != self._problem:
                self._problem = str(error)
                _log.error("what was there before stays: %s", error)
                self._on_reload("refused")
            return
        self._problem = ""
        _log.info("mounted files have changed, and were taken")
        self._on_reload("taken")
