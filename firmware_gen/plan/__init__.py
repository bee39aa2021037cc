"""Where and when: row blocks, views, lifetimes, offsets in the arena, and an independent check."""
