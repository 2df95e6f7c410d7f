"""System and study files: reading, schemas, checks. The site of a cluster: ``minset.config.site``."""

from minset.config.pool_checks import held_out_runs
from minset.config.reading import load_study, require_known_keys, study_name_of
from minset.config.simulation_checks import (
    cell_edge_A,
    observable_options,
    simulation_density,
)
from minset.config.words import ConfigError

__all__ = [
    "ConfigError",
    "cell_edge_A",
    "held_out_runs",
    "load_study",
    "observable_options",
    "require_known_keys",
    "simulation_density",
    "study_name_of",
]
