"""Searching for parameters: what is tried next, and what came of it."""
