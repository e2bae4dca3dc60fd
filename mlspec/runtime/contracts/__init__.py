"""The data contract: what each row must be, and what all of them together must be."""
