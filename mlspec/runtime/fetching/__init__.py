"""Models that were made elsewhere: brought, recognised, and put into a model folder."""
