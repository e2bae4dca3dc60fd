"""Built-in sample data: seeded generators of tables with entities, time and late labels."""
