"""Drift: whether live rows come from the distribution that the training rows came from.

``detector``: the detector. ``mixture``: all evidence together, and what changed. ``likelihood`` and ``gamma_poisson``: the evidence of
each alternative. ``alternatives``: what may change; ``change_points``: since when. ``candidate_counts``: rows before and after each change
point. ``detector_state``: what is kept between two updates.
"""
