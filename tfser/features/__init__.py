"""Log-mel features: the reference that the device follows."""
