"""Ready-to-build projects for the user's own build system."""
