"""FastAPI: one asynchronous path operation, JSON by orjson."""

import os
from typing import Any

import joblib
import numpy as np
import orjson
import pandas as pd
from fastapi import FastAPI, Request, Response

app = FastAPI()
model = joblib.load(os.environ["MODEL"])


@app.post("/predict")
async def predict(request: Request) -> Response:
    """Predict what a request of the Open Inference Protocol holds."""
    found = model.predict(_rows(orjson.loads(await request.body())["inputs"]))
    output = {"name": "predict", "shape": found.shape, "datatype": "INT64", "data": found}
    content = orjson.dumps({"outputs": [output]}, option=orjson.OPT_SERIALIZE_NUMPY)
    return Response(content, media_type="application/json")


def _rows(tensors: list[dict[str, Any]]) -> Any:
    if len(tensors) == 1:
        return np.array(tensors[0]["data"]).reshape(tensors[0]["shape"])
    return pd.DataFrame({tensor["name"]: tensor["data"] for tensor in tensors})
