"""Tools for development: a local Kubernetes, images, real servers. Not here: anything that the product imports."""
