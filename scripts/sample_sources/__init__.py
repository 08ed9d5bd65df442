"""Builds the sample sources: rows, planted defects and files, from the hand-written comment bank."""
