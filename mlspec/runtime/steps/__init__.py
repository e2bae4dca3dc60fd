"""The run-time half: what each derived step does, one module for each kind.

`mlspec step KIND` (`mlspec.cli.step`) calls `run(call)` of `mlspec.runtime.steps.<kind>`.
"""
