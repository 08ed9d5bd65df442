"""Keeps identities out of everything that is read downstream: redacted text and keyed pseudonyms."""
