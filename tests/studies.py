"""A copy of config/ that tests change, and the mistakes that are found in it."""

import shutil
from pathlib import Path

import pytest
import yaml

from minset.config import ConfigError, load_study

CONFIG = Path(__file__).parents[1] / "config"
STUDY, SYSTEM = "studies/demo-classical.yaml", "systems/kcl.yaml"
GRID = {
    "generator": "npt_grid",
    "temperatures_K": [1200, 1600],
    "pressures_bar": [1e-3, 1000, 10000],
    "ions": 32,
    "duration_ps": 20,
    "frames": 40,
    "seed": 1,
}

GREM = {
    "generator": "grem",
    "lambdas_K": [1500, 2000],
    "eta_K_per_eV_atom": -2000,
    "enthalpy_eV_atom": -3.5,
    "bath_K": 1200,
    "pressure_bar": 1,
    "ions": 32,
    "duration_ps": 20,
    "frames": 40,
    "seed": 1,
}

MULTICANONICAL = {
    "generator": "multicanonical",
    "enthalpies_eV_atom": [-3.6, -3.0],
    "temperatures_K": [1000, 2000],
    "bath_K": 1400,
    "pressure_bar": 1,
    "ions": 32,
    "duration_ps": 20,
    "frames": 200,
    "seed": 1,
}


@pytest.fixture
def config(tmp_path) -> Path:
    return Path(shutil.copytree(CONFIG, tmp_path / "config"))


def alter(config: Path, file: str, changes: dict) -> None:
    """Set values by key, as `parent/key` or `list/0`, in a YAML file; None takes the key away."""
    content = yaml.safe_load((config / file).read_text())
    for key, value in changes.items():
        *parents, last = key.split("/")
        place = content
        for parent in parents:
            place = place[int(parent) if isinstance(place, list) else parent]
        if value is None:
            del place[last]
        else:
            place[last] = value
    (config / file).write_text(yaml.safe_dump(content, sort_keys=False))


def mistakes(config: Path, study: str = "demo-classical") -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_study(study, config)
    return str(caught.value).splitlines()
