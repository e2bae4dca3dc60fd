"""Lock file, writing artifacts, and the typed difference between two applications."""
