"""Diagnostics: one catalogue, one record, several renderers."""
