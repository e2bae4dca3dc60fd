"""Who said yes: keys, signed statements, people and their teams, and whether it is enough."""
