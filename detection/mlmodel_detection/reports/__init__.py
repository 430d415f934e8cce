"""Reports of pods: whether one can be believed, and why it is refused if not."""
