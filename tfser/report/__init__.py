"""The HTML page of a build."""
