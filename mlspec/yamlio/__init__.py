"""YAML in and out: a strict reader that keeps positions, and the only dumper."""
