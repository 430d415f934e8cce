"""PyTriton: a model bound to Triton, which gathers requests into batches by its defaults."""

import sys

import joblib
import numpy as np
import pandas as pd
from pytriton.decorators import batch
from pytriton.model_config import ModelConfig, Tensor
from pytriton.triton import Triton, TritonConfig

_MOST_ROWS = 512
file, name, columns, http, grpc, metrics = sys.argv[1:]
model = joblib.load(file)


@batch
def matrix(predict):  # noqa: ANN001, ANN201
    """Predict rows of a matrix."""
    return [model.predict(predict).astype(np.int64).reshape(-1, 1)]


@batch
def frame(**tensors):  # noqa: ANN003, ANN201
    """Predict rows of columns."""
    rows = {key: _column(values) for key, values in tensors.items()}
    return [model.predict(pd.DataFrame(rows)).astype(np.int64).reshape(-1, 1)]


def _column(values: np.ndarray) -> np.ndarray:
    flat = values.reshape(-1)
    return flat if flat.dtype == np.float64 else np.char.decode(flat.astype(bytes), "utf-8").astype(object)


if columns.isdecimal():
    function, inputs = matrix, [Tensor(name="predict", dtype=np.float64, shape=(int(columns),))]
else:
    kinds = {"n": np.float64, "c": bytes}
    function, inputs = frame, [Tensor(name=column, dtype=kinds[column[0]], shape=(1,)) for column in columns.split(",")]
with Triton(config=TritonConfig(http_port=int(http), grpc_port=int(grpc), metrics_port=int(metrics))) as triton:
    outputs = [Tensor(name="label", dtype=np.int64, shape=(1,))]
    triton.bind(model_name=name, infer_func=function, inputs=inputs, outputs=outputs, config=ModelConfig(max_batch_size=_MOST_ROWS))
    triton.serve()
