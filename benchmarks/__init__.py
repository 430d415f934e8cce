"""Benchmarks: figures beside a peer, a bound or a floor, measured in one run. Nothing of the product imports this."""
