"""Linear models as ONNX, in float64.

Not here: their inputs.
"""

from typing import Any

import numpy as np
from sklearn.linear_model import ElasticNet, LinearRegression, LogisticRegression, Ridge, SGDClassifier

from .graph import Graph


def linear(graph: Graph, model: Any, values: str) -> str | None:
    """Add the model; return the probabilities or numbers, None for a model that is no linear one or has another link."""
    if isinstance(model, LinearRegression | Ridge | ElasticNet):
        return _scores(graph, model, values)
    if isinstance(model, LogisticRegression):
        scores = _scores(graph, model, values)
        return two_columns(graph, graph.add("Sigmoid", scores)) if len(model.coef_) == 1 else graph.add("Softmax", scores, axis=1)
    if isinstance(model, SGDClassifier) and model.loss == "log_loss":
        each = graph.add("Sigmoid", _scores(graph, model, values))
        if len(model.coef_) == 1:
            return two_columns(graph, each)
        return graph.add("Div", each, graph.add("ReduceSum", each, graph.constant(np.array([1])), keepdims=1))
    return None


def two_columns(graph: Graph, positive: str) -> str:
    """Add the negative class's probability before the positive one's (rows x 1, float64)."""
    return graph.add("Concat", graph.add("Sub", graph.constant(np.array([[1.0]])), positive), positive, axis=1)


def _scores(graph: Graph, model: Any, values: str) -> str:
    weights = np.atleast_2d(np.asarray(model.coef_, dtype=np.float64)).T
    products = graph.add("MatMul", values, graph.constant(weights))
    return graph.add("Add", products, graph.constant(np.atleast_1d(np.asarray(model.intercept_, dtype=np.float64))))
