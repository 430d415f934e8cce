"""A small builder of ONNX graphs: every call adds one node and returns the name of its output.

Not here: what the nodes compute together.
"""

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

_OPSETS = {"": 18, "ai.onnx.ml": 5}
_IR_VERSION = 9

DOUBLE, FLOAT, INT64 = TensorProto.DOUBLE, TensorProto.FLOAT, TensorProto.INT64


class Graph:
    """Nodes, constants and inputs so far."""

    def __init__(self) -> None:
        self._nodes: list[Any] = []
        self._constants: list[Any] = []
        self._inputs: list[Any] = []

    def texts(self, name: str) -> str:
        """Add an input of text, rows x 1."""
        self._inputs.append(helper.make_tensor_value_info(name, TensorProto.STRING, [None, 1]))
        return name

    def numbers(self, name: str, width: int) -> str:
        """Add an input of float64, rows x ``width``."""
        self._inputs.append(helper.make_tensor_value_info(name, DOUBLE, [None, width]))
        return name

    def constant(self, values: NDArray[Any]) -> str:
        """Add a constant tensor."""
        name = f"#constant_{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def add(self, operator: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        """Add a node of one output."""
        name = f"#node_{len(self._nodes)}"  # no column can be named like this
        self._nodes.append(helper.make_node(operator, list(inputs), [name], name=name, domain=domain, **attributes))
        return name

    def cast(self, values: str, to: int) -> str:
        """Add a cast to another element type."""
        return self.add("Cast", values, to=to)

    def serialized(self, output: str) -> bytes:
        """Return the model with its one output."""
        kind = helper.make_tensor_value_info(output, DOUBLE, [None, None])
        graph = helper.make_graph(self._nodes, "pipeline", self._inputs, [kind], self._constants)
        opsets = [helper.make_opsetid(domain, version) for domain, version in _OPSETS.items()]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=_IR_VERSION)
        onnx.checker.check_model(model)
        return bytes(model.SerializeToString())
