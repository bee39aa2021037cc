"""Backbones in tf_keras, with High-Rank Factorization in training."""
