"""Rules about nouns: one module for each topic, each a generator `check(catalogue)`.

A rule reads the nouns and yields findings; it changes nothing and needs no order. `run_rules`
applies all of them, sets severities by the policy's profile and takes out what is waived.
"""
