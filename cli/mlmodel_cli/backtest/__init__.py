"""``mlmodel backtest``: a manifest over past data in simulated time, with the operator's own decisions and the trainer's own stages.

There is no cluster, and no decision of its own: ``gather``, ``decide`` and ``act`` are the operator's, the Jobs run the trainer's command,
and rows are counted and stored by the sidecar's classes. Simulated are the clock, the API server and the kubelet. Not here: anything that
judges or fits.
"""
