"""Models as files: one module for each format, one interface to predict with."""
