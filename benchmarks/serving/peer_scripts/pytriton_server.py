"""PyTriton: a model bound to Triton, which gathers requests into batches by its defaults."""

import os
import sys
import sysconfig

import joblib
import numpy as np
import pandas as pd
from pytriton.decorators import batch
from pytriton.model_config import ModelConfig, Tensor
from pytriton.triton import Triton, TritonConfig

_MOST_ROWS = 512
os.environ["LD_LIBRARY_PATH"] = sysconfig.get_config_var("LIBDIR")  # or Triton's own process may load another Python's library
file, name, columns, http, grpc, metrics = sys.argv[1:]
model = joblib.load(file)


@batch
def matrix(predict):
    """Predict rows of a matrix."""
    return [_labels(predict)]


@batch
def frame(**tensors):
    """Predict rows of columns."""
    rows = {key: _column(values) for key, values in tensors.items()}
    return [_labels(pd.DataFrame(rows))]


def _labels(rows) -> np.ndarray:
    return np.ascontiguousarray(model.predict(rows), dtype=np.float64).reshape(-1, 1)


def _column(values: np.ndarray) -> np.ndarray:
    flat = values.reshape(-1)
    return flat if flat.dtype == np.float64 else np.char.decode(flat.astype(bytes), "utf-8").astype(object)


if columns.isdecimal():
    function, inputs = matrix, [Tensor(name="predict", dtype=np.float64, shape=(int(columns),))]
else:
    kinds = {"n": np.float64, "c": bytes}
    function, inputs = frame, [Tensor(name=column, dtype=kinds[column[0]], shape=(1,)) for column in columns.split(",")]
with Triton(config=TritonConfig(http_port=int(http), grpc_port=int(grpc), metrics_port=int(metrics))) as triton:
    outputs = [Tensor(name="label", dtype=np.float64, shape=(1,))]
    triton.bind(model_name=name, infer_func=function, inputs=inputs, outputs=outputs, config=ModelConfig(max_batch_size=_MOST_ROWS))
    triton.serve()
