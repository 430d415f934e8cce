"""Import skops without the list of scikit-learn's estimators, for which it would import all of scikit-learn.

The list says what skops trusts by itself; here ``trusted.py`` says what may be loaded, and what skops is told to trust is that.
Not here: the files.
"""

from typing import Any


def skops_io() -> Any:
    """Return the module ``skops.io``."""
    import sklearn.utils

    all_estimators = sklearn.utils.all_estimators
    sklearn.utils.all_estimators = _no_estimators
    try:
        import skops.io
    finally:
        sklearn.utils.all_estimators = all_estimators
    return skops.io


def _no_estimators() -> list[tuple[str, type]]:
    return []
