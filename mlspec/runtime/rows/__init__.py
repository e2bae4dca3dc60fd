"""Rows between steps: keys, time, features, label and slices of a model's events."""
