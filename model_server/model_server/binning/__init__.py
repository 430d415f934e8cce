"""Binning: into which slot of a feature's profile a value falls, for the trainer and the sidecar alike.

A slot is a bin of a number, a category, all other categories, or missing values.
"""
