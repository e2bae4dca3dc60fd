"""ML8xx: emitted artifacts (ML801 comes with the proofs; see docs/explanation/)."""
