"""The proof on emitted artifacts (rule ML801): read back what was printed, prove it again.

`proof.prove` is the entrance. A reader for each target (`airflow`, `github_actions`,
`kubernetes`) turns text into an emitted graph (`graph`); it shares no code with the back end that
printed the text, so that a fault there is not repeated here.
"""
