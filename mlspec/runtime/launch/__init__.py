"""Training processes: how the user's entry point is run, on this machine or by several workers."""
