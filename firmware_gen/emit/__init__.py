"""C text out."""
