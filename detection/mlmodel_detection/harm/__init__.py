"""Harm: whether labelled predictions are worse than the holdout's, or miss a criterion.

``detector``: the detector. ``criteria``: the objective's criteria. ``live_metrics``: metrics from counts. ``confidence``: confidence
bounds.
"""
