"""Images: start-up code, linker scripts, the emulated chips and the host."""
