"""How the first version alone would have predicted the replayed flights: its own bundle, opened as a server opens it, predicts all of them.

Not here: fetching the bundle.
"""

from pathlib import Path

import numpy as np
from mlmodel_cli.backtest.judging import Judgement, judge
from model_server.bundle.read import open_bundle

from demo.worth import Flights

_CHUNK = 20_000


def judge_alone(folder: Path, digest: str, flights: Flights) -> Judgement:
    """Judge the bundle's predictions of all replayed flights.

    Args:
        folder: the bundle's files.
        digest: of its manifest, from the ModelVersion.
        flights: what is predicted.

    Raises:
        BundleRefused: the bundle is not what the digest says.

    """
    bundle, stream = open_bundle(folder, digest), flights.stream
    starts = range(stream.first_live, len(stream), _CHUNK)
    parts = [(start, min(start + _CHUNK, len(stream))) for start in starts]
    predictions = np.concatenate([bundle.predictor.predict(stream.columns(start, stop), stop - start) for start, stop in parts])
    return judge(stream, stream.first_live, bundle.schema.classes, predictions, flights.value)
