"""Models on the same rows: predictions, and what predicting costs."""
