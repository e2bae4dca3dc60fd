"""Where data are read from: a module for each kind of address."""
