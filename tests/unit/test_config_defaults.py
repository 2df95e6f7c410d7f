"""What a study and a system need not say: defaults of records, and what comes from the system."""

import hashlib

import pytest
import yaml
from studies import STUDY, alter, mistakes

from minset.config import load_study, observable_options

pytestmark = pytest.mark.usefixtures("small_registries")

METAL = """
name: Al
species:
  Al: {count: 1}
potentials:
  mendelev: {potential: eam, file: FILE, source: a test}
"""


def test_a_study_takes_from_its_system_what_it_does_not_say(config):
    study, _ = load_study("demo-classical", config)
    assert study["pool"]["potential"] == "bmhtf"
    assert study["labels"]["settings"] == {"potential": "bmhtf"}
    assert study["reference"] == ["bmhtf"]
    alter(config, STUDY, {"pool/potential": "bmhtf-published-sign"})
    study, _ = load_study("demo-classical", config)
    assert study["labels"]["settings"] == {"potential": "bmhtf-published-sign"}
    assert study["reference"] == ["bmhtf-published-sign"]
    assert "potential" not in load_study("demo", config)[0]["labels"]["settings"]


def test_a_simulation_has_all_observables_that_its_ensemble_allows(config):
    simulations = load_study("demo-classical", config)[0]["simulations"]
    assert simulations["nvt_1200K"]["observables"] == ["rdf", "transport", "mdsuite"]
    assert simulations["npt_1200K"]["observables"] == ["density"]
    alter(config, STUDY, {"simulations/nvt_1200K/observables": []})
    simulations = load_study("demo-classical", config)[0]["simulations"]
    assert simulations["nvt_1200K"]["observables"] == []


def test_an_observable_has_the_options_that_it_shares(config):
    study, _ = load_study("demo-classical", config)
    assert study["rdf"] == {"range_A": 5.5, "bins": 110}
    assert observable_options(study, "transport") == {"start_ps": 0.5}
    assert observable_options(study, "mdsuite") == study["rdf"] | study["transport"]
    assert "density" not in study


def test_entries_are_filled_with_the_defaults_of_their_records(config):
    alter(config, STUDY, {"selectors/mine": {"selector": "rnd", "max_steps": 7}})
    study, _ = load_study("demo-classical", config)
    rnd = {"atoms": True, "hidden": [64, 64], "metric": "euclidean", "picks_per_training": 1}
    assert study["selectors"]["rnd"] == rnd | {"selector": "rnd", "max_steps": 200}
    assert study["selectors"]["mine"] == rnd | {"selector": "rnd", "max_steps": 7}
    assert study["selectors"]["random"] == {"selector": "random"}
    assert study["models"]["small"]["members"] == 1
    assert study["labels"]["frames_per_job"] == 16
    study["selectors"]["mine"]["hidden"].append(3)
    assert study["selectors"]["rnd"]["hidden"] == [64, 64]


def test_sizes_are_used_in_increasing_order(config):
    alter(config, STUDY, {"sizes": [16, 4, 8]})
    assert load_study("demo-classical", config)[0]["sizes"] == [4, 8, 16]


@pytest.fixture
def metal(config, tmp_path):
    """A study of a metal, with a potential from a file and neither charges nor density fits."""
    potential = tmp_path / "Al.eam.fs"
    potential.write_text("not read here")
    (config / "systems/al.yaml").write_text(METAL.replace("FILE", str(potential)))
    changes = {"systems": ["al"], "pool/density_g_cm3": 2.3}
    for simulation in ("nvt_1200K", "npt_1200K"):
        changes[f"simulations/{simulation}/density_g_cm3"] = 2.3
    alter(config, STUDY, changes | {"rdf/range_A": 3.0})
    return potential


def test_a_metal_needs_neither_charges_nor_masses_nor_fits(config, metal):
    study, systems = load_study("demo-classical", config)
    assert systems["al"]["species"] == {"Al": {"count": 1, "mass_u": pytest.approx(26.9815385)}}
    assert systems["al"]["reference"] == {"density": []}
    assert study["pool"]["potential"] == "mendelev"
    # what needs charges is not computed where none is asked for by name
    assert study["simulations"]["nvt_1200K"]["observables"] == ["rdf", "mdsuite"]
    alter(config, STUDY, {"simulations/nvt_1200K/observables": ["transport"]})
    (line,) = mistakes(config)
    assert "simulations.nvt_1200K.observables: transport: no species has a charge" in line


def test_an_observable_of_one_of_the_systems_is_computed(config, metal):
    alter(config, STUDY, {"systems": ["al", "kcl"], "pool/potential": "own"})
    for system in ("al", "kcl"):
        content = yaml.safe_load((config / f"systems/{system}.yaml").read_text())
        content["potentials"]["own"] = next(iter(content["potentials"].values()))
        (config / f"systems/{system}.yaml").write_text(yaml.safe_dump(content))
    study, _ = load_study("demo-classical", config)
    assert study["simulations"]["nvt_1200K"]["observables"] == ["rdf", "transport", "mdsuite"]


def test_files_of_potentials_count_by_their_hash(config, metal):
    _, systems = load_study("demo-classical", config)
    digest = hashlib.sha256(b"not read here").hexdigest()
    assert systems["al"]["potentials"]["mendelev"]["sha256"] == digest
    alter(config, "systems/al.yaml", {"potentials/mendelev/sha256": "0" * 64})
    (line,) = mistakes(config)
    assert "systems/al.yaml: potentials.mendelev.sha256: the hash of " in line
    assert digest in line
    metal.unlink()
    (line,) = mistakes(config)
    assert line.startswith(f"{config / 'systems/al.yaml'}: potentials.mendelev: ")
    assert "No such file" in line
    assert str(metal) in line


def test_what_a_metal_lacks_is_said_with_its_remedy(config, metal):
    changes = {f"simulations/{s}/density_g_cm3": None for s in ("nvt_1200K", "npt_1200K")}
    alter(config, STUDY, changes | {"pool/density_g_cm3": None})
    pool, *simulations = mistakes(config)
    assert "pool.density_g_cm3: missing, and " in pool
    assert "systems/al.yaml has no fit in reference.density" in pool
    assert len(simulations) == 2
    for line in simulations:
        assert ".density_g_cm3: `experiment` needs a fit in reference.density of " in line
        assert line.endswith("add one with its source, or give density_g_cm3 as a number")


def test_a_system_without_potentials_says_who_needs_one(config, metal):
    alter(config, "systems/al.yaml", {"potentials": None})
    (line,) = mistakes(config)
    assert "pool.potential: npt_ramp needs a potential, and " in line
    assert "systems/al.yaml names no potentials; add `potentials` there" in line


def test_the_order_of_potentials_in_a_file_means_nothing(config):
    content = yaml.safe_load((config / "systems/kcl.yaml").read_text())
    content["potentials"] = dict(reversed(content["potentials"].items()))
    (config / "systems/kcl.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    study, _ = load_study("demo-classical", config)
    assert study["pool"]["potential"] == "bmhtf"
    assert study["reference"] == ["bmhtf"]


def test_the_pool_of_another_study_has_that_study_s_potential(config):
    """Else the same pool would be computed with two potentials."""
    assert load_study("nacl-gap-laptop", config)[0]["pool"]["potential"] == "bmhtf"
    other = "studies/nacl-selectors-laptop.yaml"
    alter(config, other, {"pool/potential": "bmhtf-published-sign"})
    study, _ = load_study("nacl-gap-laptop", config)
    assert study["pool"]["potential"] == "bmhtf-published-sign"
    # also where that study takes it from a system that this one does not have
    alter(config, other, {"pool/potential": None, "systems": ["kcl", "nacl"]})
    alter(config, "systems/kcl.yaml", {"potentials/bmhtf": None})
    study, _ = load_study("nacl-gap-laptop", config)
    assert study["pool"]["potential"] == "bmhtf-published-sign"
