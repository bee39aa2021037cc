"""The C kernels that generated code calls; each source compiles alone with any C11 compiler."""
