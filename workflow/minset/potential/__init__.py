"""Potentials: what makes forces without being trained here."""
