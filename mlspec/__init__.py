"""mlspec: the compiler for machine-learning applications."""

__version__ = "0.1.0"
