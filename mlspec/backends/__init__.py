"""Back ends: from the IR to an engine's files. Siblings never import each other."""
