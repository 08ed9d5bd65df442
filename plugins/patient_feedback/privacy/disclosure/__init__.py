"""Disclosure control: attacks published tables as a reader would, and says what else to hide."""
