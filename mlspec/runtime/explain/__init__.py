"""What drives a model: importance of each input on the test rows."""
