"""The errors of this package. Each message is one sentence for a person, and says what to do."""


class DevtoolsError(Exception):
    """Something that the person at the terminal can read and act upon."""


class CommandError(DevtoolsError):
    """A program that was called ended with an error; the message holds what it said."""


class ComponentError(DevtoolsError):
    """A part of the cluster died or did not become healthy; the message holds the end of its log."""
