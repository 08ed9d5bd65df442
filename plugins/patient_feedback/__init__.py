"""Turns patient feedback into a checked patient-experience warehouse."""
