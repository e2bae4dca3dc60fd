"""From nouns to pipelines: which steps a model or a data noun needs, and what each is told.

Input: the catalogue of nouns. Output: pipelines of the IR, the same that explicit ones become.
Every step's `at` is the line of the spec that caused it. Nothing here reports a problem of the
user's: the rules (`mlspec.analysis.rules`) did.
"""
