"""The JSON Schema of the language: scalars get their types, shapes get checked."""
