"""The run-time half: interprets the IR on one machine. The compiler never imports it."""
