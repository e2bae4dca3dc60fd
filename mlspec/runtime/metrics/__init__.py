"""How metrics are computed, on numpy arrays; the only folder beside statistics that needs numpy."""
