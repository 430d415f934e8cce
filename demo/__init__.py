"""The demonstration behind ``make demo``: a cluster, the operator, and a year of real flights, watched from the terminal.

Everything here runs on the person's machine and only observes: what happens in the cluster is decided by the operator, from
``examples/flights/mlmodel.yaml``. No part of the product may import this package, and nothing that a user needs lives here.
"""
