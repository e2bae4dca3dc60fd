"""Models that are made of models: combined by rule, by a fitted model, or by a function."""
