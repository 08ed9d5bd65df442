"""Themes of comments: found in a sample, named, kept across refits; no database here."""

SAMPLE_LIMIT = 20_000
"""Texts that a fit looks at, at most."""
