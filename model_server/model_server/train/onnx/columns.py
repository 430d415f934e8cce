"""The pipeline's first half as ONNX: columns to the matrix that the estimator is given, in float64.

Not here: the estimator.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from mlmodel_contract.bundle import SchemaColumn
from mlmodel_contract.manifest import ColumnType
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from ...bundle.engine import NUMBERS
from .graph import DOUBLE, Graph

_UNSEEN = "\x00 a category that no row has"


def matrix(graph: Graph, transformer: Any, features: Sequence[SchemaColumn]) -> str:
    """Add the column transformer; return the matrix of rows x transformed features."""
    numbers = [column.name for column in features if column.type is not ColumnType.CATEGORY]
    parts = []
    for kind, step, names in transformer.transformers_:
        if kind == "numbers":
            parts.append(_numbers(graph, step, _chosen(graph, numbers, list(names))))
        else:
            parts.append(_categories(graph, step, [graph.texts(name) for name in names]))
    return _concat(graph, parts)


def _chosen(graph: Graph, numbers: Sequence[str], names: Sequence[str]) -> str:
    """Return the named ones of all numbers."""
    values = graph.numbers(NUMBERS, len(numbers))
    if names == numbers:
        return values
    return graph.add("Gather", values, graph.constant(np.array([numbers.index(name) for name in names], dtype=np.int64)), axis=1)


def _numbers(graph: Graph, step: Any, values: str) -> str:
    """Add the imputer and the scaler, where the pipeline has them; the same operations in the same order and precision."""
    steps = [part for _, part in step.steps] if isinstance(step, Pipeline) else [step]
    for part in steps:
        if isinstance(part, SimpleImputer):
            values = _imputed(graph, part, values)
        elif isinstance(part, StandardScaler):
            centred = graph.add("Sub", values, graph.constant(part.mean_))
            values = graph.add("Div", centred, graph.constant(part.scale_))
    return values


def _imputed(graph: Graph, imputer: SimpleImputer, values: str) -> str:
    missing = graph.add("IsNaN", values)
    filled = graph.add("Where", missing, graph.constant(np.asarray(imputer.statistics_, dtype=np.float64)[None, :]), values)
    watched = imputer.indicator_.features_
    if not len(watched):
        return filled
    flags = graph.add("Gather", missing, graph.constant(np.asarray(watched, dtype=np.int64)), axis=1)
    return _concat(graph, [filled, graph.cast(flags, DOUBLE)])


def _categories(graph: Graph, encoder: Any, inputs: Sequence[str]) -> str:
    """Add a table of the fitted encoder's output for each category and for an unseen one."""
    parts = []
    for position, name in enumerate(inputs):
        known = [str(value) for value in encoder.categories_[position]]
        coded = _encoded(encoder, position, [*known, _UNSEEN])
        if isinstance(encoder, OneHotEncoder):
            codes = np.where(coded.any(axis=1), coded.argmax(axis=1), -1)
            index = _lookup(graph, name, known, codes)
            columns = graph.constant(np.arange(coded.shape[1], dtype=np.float64)[None, :])
            parts.append(graph.cast(graph.add("Equal", index, columns), DOUBLE))
        else:
            parts.append(_lookup(graph, name, known, coded[:, 0]))
    return _concat(graph, parts)


def _encoded(encoder: Any, position: int, values: Sequence[str]) -> Any:
    """Return the encoder's output for one column's values: values x the column's outputs."""
    first = [categories[0] for categories in encoder.categories_]
    rows = [[*first[:position], value, *first[position + 1 :]] for value in values]
    coded = encoder.transform(pd.DataFrame(rows, columns=encoder.feature_names_in_, dtype=object))
    dense = np.asarray(coded.todense() if hasattr(coded, "todense") else coded, dtype=np.float64)
    if not isinstance(encoder, OneHotEncoder):
        return dense[:, position : position + 1]
    starts = np.cumsum([0, *(_width(encoder, index) for index in range(len(first)))])
    return dense[:, starts[position] : starts[position + 1]]


def _width(encoder: OneHotEncoder, position: int) -> int:
    """Return how many outputs a column has: its frequent categories, and one for the others where there are any."""
    rare = encoder.infrequent_categories_[position]
    return len(encoder.categories_[position]) - (0 if rare is None else len(rare) - 1)


def _lookup(graph: Graph, name: str, known: Sequence[str], codes: Any) -> str:
    """Add a table from texts to float64 codes; the last code is for texts that it does not know."""
    found = graph.add(
        "LabelEncoder",
        name,
        domain="ai.onnx.ml",
        keys_strings=list(known),
        values_floats=[float(code) for code in codes[:-1]],
        default_float=float(codes[-1]),
    )
    return graph.cast(found, DOUBLE)


def _concat(graph: Graph, parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else graph.add("Concat", *parts, axis=1)
