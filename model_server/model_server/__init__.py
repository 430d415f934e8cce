"""Model server, monitor sidecar and trainer of the MLModel operator: one image, a command for each.

Never imports the operator; what both need is the contract. Not here: anything; see the subpackages.
"""
