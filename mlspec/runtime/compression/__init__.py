"""Smaller models: which method works on which format, and how."""
