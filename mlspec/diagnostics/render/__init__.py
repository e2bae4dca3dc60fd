"""Renderers: pure functions from a `Report` (concrete places) to text."""
