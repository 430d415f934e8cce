"""Binning: into which slot of a feature's profile a value falls; trainer and sidecar count alike."""
