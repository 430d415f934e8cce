"""A real Kubernetes of one's own, for the demo and the tests: `python -m devtools.cluster up`.

Nothing in here knows the operator, its CRDs or its images; the product must never import from here.
"""
