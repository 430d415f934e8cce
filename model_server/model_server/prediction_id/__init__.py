"""Prediction ids: how they are made, signed and verified."""
