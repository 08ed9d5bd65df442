"""Servers on loopback that speak the protocols of real sources of feedback, with their limits and faults."""
