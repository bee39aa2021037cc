"""One file per operation: its integer parameters, its output shape, its exact arithmetic in NumPy."""
