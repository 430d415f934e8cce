"""The project's images as archives for a cluster of one's own: `python -m devtools.images` builds what is not cached.

What is in an image says the Dockerfile; how an archive gets into a cluster is `devtools.cluster`'s business.
"""
