"""Inference: what a request means and how it is answered, whatever transport it came by."""
