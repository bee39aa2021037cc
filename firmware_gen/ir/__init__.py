"""Typed integer graph: what a model computes, with no scale left in it."""
