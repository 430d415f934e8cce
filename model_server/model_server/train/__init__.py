"""The trainer: the stages of a run, each a Job of its own, that make a bundle from the declared data.

``prepare`` and its helpers must not import scikit-learn or pandas: they run on pyarrow alone. Not here: deciding whether a version may
serve, which is the operator's; and the bundle's format, which is ``bundle``'s.
"""
