"""System and study files: reading, schemas, checks."""

from minset.config.checks import cell_edge_A, held_out_runs, simulation_density
from minset.config.reading import ConfigError, load_study

__all__ = ["ConfigError", "cell_edge_A", "held_out_runs", "load_study", "simulation_density"]
