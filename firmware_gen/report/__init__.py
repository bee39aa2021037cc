"""Sizes, budgets and their presentation."""
