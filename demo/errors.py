"""The one error of the demonstration: a step that cannot be done, in words for the person at the terminal."""


class DemoError(Exception):
    """A step failed; the message says what was waited for or wanted, and what the cluster says about it."""
