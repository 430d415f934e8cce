"""The errors of this package. Each message is one sentence for a person, and says what to do."""


class ClusterError(Exception):
    """Something that the person at the terminal can read and act upon."""


class CommandError(ClusterError):
    """A program that was called ended with an error; the message holds what it said."""


class ComponentError(ClusterError):
    """A part of the cluster died or did not become healthy; the message holds the end of its log."""
