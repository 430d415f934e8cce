"""Reports of pods: whether one can be believed (``validation``, ``correlations``), and why it is refused if not (``refusal``)."""
