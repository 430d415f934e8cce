"""Writes the source of the recurring model: stretches of rows, the oldest first, by words such as `rising=1000 falling=500`.

A delay grows with x in both worlds; with z it rises in the one and falls in the other. Each stretch is drawn by its own seed, so that a
file with one more stretch is the file before with rows appended.
"""

import sys

import numpy as np
import pandas as pd
import s3fs

from tests.node.in_pods.fill import BUCKET, parquet
from tests.node.in_pods.world import rows

SLOPES = {"rising": 1.0, "falling": -1.0}
NOISE = 0.1


def stretch(seed: int, world: str, count: int) -> pd.DataFrame:
    """Rows of one world."""
    random = np.random.default_rng(seed)
    table = rows(random, count).drop(columns="late")
    table["delay"] = 3 * table["x"] + SLOPES[world] * table["z"] + random.normal(scale=NOISE, size=count)
    return table


def main() -> None:
    """Write the file anew."""
    asked = [word.split("=") for word in sys.argv[1:]]
    table = pd.concat([stretch(seed, world, int(count)) for seed, (world, count) in enumerate(asked)], ignore_index=True)
    table.insert(0, "when", pd.date_range("2026-01-01", periods=len(table), freq="10ms"))
    s3fs.S3FileSystem().pipe_file(f"{BUCKET}/recurring/rows.parquet", parquet(table))


if __name__ == "__main__":
    main()
