"""Evaluation: metrics with intervals, slices, the comparison with the champion, the selection of a trial."""
