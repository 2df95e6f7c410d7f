"""Mistakes in studies of the user's own frames, with the registries as they are."""

import copy
from pathlib import Path

import pytest
import yaml

from minset.config import ConfigError, load_study

CONFIG = Path(__file__).parents[2] / "config"
NPT = {"ions": 32, "temperature_K": [1700, 1100], "pressure_bar": 5000, "duration_ps": 20}
MISTAKES = {
    "no path": ({"pool": {"generator": "files"}}, "pool: missing key path; files needs it"),
    "a path of nothing": (
        {"pool": {"generator": "files", "path": "none/*.xyz"}},
        "pool.path: there is no file none/*.xyz, seen from /",
    ),
    "a key of molecular dynamics": (
        {"pool": {"potential": "bmhtf"}},
        "pool.potential: a key of grem and multicanonical and npt_grid and npt_ramp, not of files",
    ),
    "a path that is none": (
        {"pool": {"path": 3}},
        "pool.path: 3 is not possible; give a string or an array",
    ),
    "labels of a pool that has none": (
        {"pool": NPT | {"generator": "npt_ramp", "frames": 200, "seed": 1}, "reference": []},
        "labels.labeler: given takes labels that frames come with, and those of npt_ramp",
    ),
    "a melt without a potential": (
        {"simulations": {"nvt_1200K": {"start": "melt"}}},
        "simulations.nvt_1200K.start: a melt needs the pool's potential; take `start: pool`",
    ),
    "a density that is none": (
        {"simulations": {"nvt_1200K": {"density_g_cm3": "mine"}}},
        "density_g_cm3: 'mine' is not possible; give 'experiment' or 'pool' or a number",
    ),
    "a potential for given labels": (
        {"labels": {"settings": {"potential": "bmhtf"}}},
        "labels.settings.potential: a key of potential, not of given",
    ),
}


@pytest.fixture
def study(tmp_path):
    """A function that reads `demo-frames` with changes, of a file that is there."""
    for folder in ("studies", "systems"):
        (tmp_path / folder).mkdir()
    (tmp_path / "systems/kcl.yaml").write_text((CONFIG / "systems/kcl.yaml").read_text())
    content = yaml.safe_load((CONFIG / "studies/demo-frames.yaml").read_text())
    content["pool"]["path"] = str(CONFIG / "systems/kcl.yaml")

    def read(changes: dict):
        changed = copy.deepcopy(content)
        for key, value in changes.items():
            if key == "pool" and "generator" in value:
                changed["pool"] = value
            elif key == "simulations":
                changed[key]["nvt_1200K"] |= value["nvt_1200K"]
            else:
                changed[key] = changed[key] | value if isinstance(value, dict) else value
        (tmp_path / "studies/mine.yaml").write_text(yaml.safe_dump(changed))
        return load_study("mine", tmp_path)

    return read


def test_a_study_of_files_starts_from_the_pool(study):
    content, _ = study({})
    simulation = content["simulations"]["nvt_1200K"]
    assert (simulation["start"], simulation["density_g_cm3"]) == ("pool", "pool")


@pytest.mark.parametrize("case", MISTAKES)
def test_a_mistake_gives_a_line_with_key_and_remedy(study, case):
    changes, told = MISTAKES[case]
    with pytest.raises(ConfigError) as error:
        study(changes)
    (line,) = str(error.value).splitlines()
    assert "mine.yaml: " in line
    assert told in line
