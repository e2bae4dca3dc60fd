"""From the spec to the IR: names, references, matrices, edges, defaults."""
