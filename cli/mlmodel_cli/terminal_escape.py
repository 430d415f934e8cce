"""Escapes foreign text for a terminal.

Not here: colours and markup of our own.
"""


def escape(text: str) -> str:
    r"""Write out what is not printable: escape sequences, line breaks, and marks that turn the direction of writing.

    >>> print(escape("a\x1b[31mb\u202ec"))
    a\x1b[31mb\u202ec
    """
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode("ascii") for sign in text)
