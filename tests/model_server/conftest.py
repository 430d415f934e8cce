"""One thread for numeric libraries: small data needs no more, and idle threads would spin beside the other tests.

Here, since the libraries read it when they are imported, which is after this file and before every fixture.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
