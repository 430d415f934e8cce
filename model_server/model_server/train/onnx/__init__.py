"""The fitted pipeline as an ONNX graph that gives the same predictions, and the proof that it does.

Written for the pipelines of ``train.pipeline`` alone, since the general converter (skl2onnx 1.20) knows neither missing-value
indicators nor float64 thresholds. All of it runs in float64, trees to the last bit of their sums. Not here: using the graph.
"""

from .proof import verified_onnx

__all__ = ["verified_onnx"]
