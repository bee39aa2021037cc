"""Rewrites of the graph that leave every output code as it is: one a file, in the order of ``pipeline.py``."""
