"""From typed target models to text: the only places that print YAML, JSON and Python."""
