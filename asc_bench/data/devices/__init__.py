"""Recording devices, simulated."""
