"""Accuracy against cost, beside what others would use: ``make bench-peers``."""
