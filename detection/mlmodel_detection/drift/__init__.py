"""Drift: whether live rows come from the distribution that the training rows came from."""
