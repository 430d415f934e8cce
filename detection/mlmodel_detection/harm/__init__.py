"""Harm: whether the loss of labelled predictions rose, or a criterion of the objective is missed."""
