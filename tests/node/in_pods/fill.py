"""Writes the tests' source files, good and bad, to the claim at /data and to the bucket `team`; with the words `live good` or `live bad`
only the one file in the bucket that the steady model learns from.
"""

import io
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import s3fs

from tests.node.in_pods.world import rows

CLAIM = Path("/data")
BUCKET = "team"
LIVE = f"{BUCKET}/live/rows.parquet"


def good() -> pd.DataFrame:
    """4,000 rows, one every 10 ms: durations of the tests' manifests are that short."""
    table = rows(np.random.default_rng(1), 4000)
    table.insert(0, "when", pd.date_range("2026-01-01", periods=len(table), freq="10ms"))
    return table


def out_of_range() -> pd.DataFrame:
    """Every tenth x is beyond what the manifests declare."""
    table = good()
    table.loc[::10, "x"] = 1000.0
    return table


def wrong_type() -> pd.DataFrame:
    """One x is no number."""
    table = good()
    table["x"] = ["much" if row == 7 else value for row, value in enumerate(table["x"])]
    return table


def parquet(table: pd.DataFrame) -> bytes:
    """The table as the content of a Parquet file."""
    content = io.BytesIO()
    table.to_parquet(content, index=False)
    return content.getvalue()


def main() -> None:
    """Write all files, or the live one anew."""
    files = s3fs.S3FileSystem()
    if not files.exists(BUCKET):
        files.mkdir(BUCKET)
    if sys.argv[1:2] == ["live"]:
        files.pipe_file(LIVE, parquet(good() if sys.argv[2] == "good" else out_of_range()))
        return
    files.pipe_file(LIVE, parquet(good()))
    files.pipe_file(f"{BUCKET}/lacks.parquet", parquet(good().drop(columns="z")))
    files.pipe_file(f"{BUCKET}/ranges.parquet", parquet(out_of_range()))
    good().to_csv(CLAIM / "rows.csv", index=False)
    good().head(0).to_csv(CLAIM / "empty.csv", index=False)
    wrong_type().to_csv(CLAIM / "wrong.csv", index=False)
    (CLAIM / "garbage.parquet").write_bytes(b"these are no columns")


if __name__ == "__main__":
    main()
