"""The C text of each operation: one file an operation, one function a file."""
