"""What the operator and the model server agree on, and nothing else.

Manifests, run documents and results, bundles, reports, paths and ports. Both sides import this package; it imports neither, does no
I/O, and knows no library but pydantic. Whoever changes the meaning of something here raises ``VERSION``: a side refuses documents of
another version.
"""

VERSION = 2
