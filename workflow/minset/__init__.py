"""minset: minimal training sets for machine-learned potentials, and the proof that they are enough."""

__version__ = "0.1.0"
