"""Faults injected for real, and what the next run makes of them."""
