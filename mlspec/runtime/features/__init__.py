"""Features: pure functions over data, point in time, the same for training and for serving."""
