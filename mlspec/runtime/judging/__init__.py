"""From a score table and the checks of a model to one verdict with its reasons."""
