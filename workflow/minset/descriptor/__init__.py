"""Descriptors: what selectors see of the atoms of a frame."""
