"""Study and system files as they are read: YAML, defaults, several systems."""

import hashlib

import pytest
import yaml
from studies import CONFIG, STUDY, SYSTEM, alter, mistakes

from minset.config import ConfigError, load_study, observable_options, study_name_of

pytestmark = pytest.mark.usefixtures("small_registries")

NAF = """
name: NaF
species:
  Na: {charge: 1.0, mass_u: 22.98977, count: 1}
  F: {charge: -1.0, mass_u: 18.998403, count: 1}
potentials:
  bmhtf:
    potential: tosi_fumi
    source: a test
    pairs:
      Na-Na: {A_eV: 0.26, rho_A: 0.33, sigma_A: 2.34, C_eV_A6: 1, D_eV_A8: 5e-1}
      F-Na: {A_eV: 0.21, rho_A: 0.33, sigma_A: 2.35, C_eV_A6: 3, D_eV_A8: 2}
      F-F: {A_eV: 0.16, rho_A: 0.33, sigma_A: 2.36, C_eV_A6: 10, D_eV_A8: 12}
reference:
  density:
    - {name: a test, a_g_cm3: 2.7, b_g_cm3_K: 5.6e-4, min_K: 1270, max_K: 1400, source: a test}
"""
METAL = """
name: Al
species:
  Al: {count: 1}
potentials:
  mendelev: {potential: eam, file: FILE, source: a test}
"""


def test_cp2k_without_a_kind_names_the_system_file(config):
    alter(config, SYSTEM, {"cp2k/kinds/Cl": None})
    lines = mistakes(config, "demo")
    assert len(lines) == 1
    assert lines[0].startswith(f"{config / 'studies/demo.yaml'}: labels.labeler: cp2k needs ")
    assert lines[0].endswith(f"cp2k.kinds.Cl ({config / SYSTEM})")
    load_study("demo-classical", config)


def test_a_key_given_twice_is_refused_not_overwritten(config):
    path = config / STUDY
    path.write_text(path.read_text() + "sizes: [4]\n")
    (line,) = mistakes(config)
    assert line.startswith(f"{path} ")
    assert "key 'sizes' is given twice" in line
    assert f"line {len(path.read_text().splitlines())}" in line


@pytest.mark.parametrize("text", ["systems: [kcl", "a: b: c", "\tpool: 1", "\x00"])
def test_what_is_no_yaml_is_named(text, config):
    (config / STUDY).write_text(text)
    (line,) = mistakes(config)
    assert line.startswith(f"{config / STUDY} is not valid YAML: ")


@pytest.mark.parametrize("text", ["", "- 1", "just text", "1: 2\nno: 3"])
def test_what_is_no_study_is_a_mistake_in_the_file(text, config):
    (config / STUDY).write_text(text)
    assert all(line.startswith(f"{config / STUDY}: ") for line in mistakes(config))


def test_an_unknown_study_or_system_lists_those_there_are(config):
    (line,) = mistakes(config, "demo-quantum")
    assert line.startswith(f"{config / 'studies/demo-quantum.yaml'} does not exist; there are: ")
    assert "demo, demo-classical, kcl-rnd, " in line
    alter(config, STUDY, {"systems": ["licl"]})
    (line,) = mistakes(config)
    assert line == f"{config / 'systems/licl.yaml'} does not exist; there are: al, kcl, nacl"


def test_mistakes_are_reported_together(config):
    alter(config, STUDY, {"pool/ions": 33, "sizes": [500], "simulations/npt_1200K/ions": 31})
    keys = [line.split(": ")[1] for line in mistakes(config)]
    assert keys == ["pool.ions", "simulations.npt_1200K.ions", "sizes"]
    alter(config, STUDY, {"colour": "red", "pool/frames": "many", "labels/labeler": "vasp"})
    assert len(mistakes(config)) == 3


def test_numbers_with_an_exponent_are_numbers(config):
    path = config / STUDY
    assert "learning_rate: 2.0e-3" in path.read_text()
    for text, value in (("1e-6", 1e-6), ("+2E-4", 2e-4), ("1.e-3", 1e-3)):
        path.write_text((CONFIG / STUDY).read_text().replace("2.0e-3", text))
        study, _ = load_study("demo-classical", config)
        assert study["models"]["small"]["training"]["learning_rate"] == value


def test_a_new_salt_is_one_new_file(config):
    (config / "systems/naf.yaml").write_text(NAF)
    alter(config, STUDY, {"systems": ["naf", "kcl"]})
    for simulation in ("nvt_1200K", "npt_1200K"):
        alter(config, STUDY, {f"simulations/{simulation}/density_g_cm3": 1.4})
    alter(config, STUDY, {"rdf/range_A": 4.5})
    _, systems = load_study("demo-classical", config)
    assert systems["naf"]["potentials"]["bmhtf"]["pairs"]["Na-Na"]["D_eV_A8"] == 0.5


def test_a_study_is_checked_against_each_of_its_salts(config):
    """A density that suits one salt leaves another's cell too small for the RDF."""
    (config / "systems/naf.yaml").write_text(NAF)
    alter(config, STUDY, {"systems": ["kcl", "naf"]})
    alter(config, STUDY, {"simulations/nvt_1200K/density_g_cm3": 1.43})
    assert [line.split(": ")[1] for line in mistakes(config)] == [
        "simulations.nvt_1200K.ions",
        "simulations.npt_1200K.temperature_K",
    ]


def test_a_mapping_can_start_from_another_one(config):
    """``<<`` takes the keys that a mapping does not give itself, and hides no key given twice."""
    potentials = load_study("demo-classical", config)[1]["kcl"]["potentials"]
    one, other = potentials["bmhtf"], potentials["bmhtf-published-sign"]
    assert other == one | {"published_sign": True}
    assert one["published_sign"] is False
    path = config / SYSTEM
    text = path.read_text()
    path.write_text(text.replace("<<: *bmhtf", "<<: *bmhtf\n    source: other"))
    assert (
        load_study("demo-classical", config)[1]["kcl"]["potentials"]["bmhtf-published-sign"][
            "source"
        ]
        == "other"
    )
    path.write_text(text.replace("<<: *bmhtf", "<<: *bmhtf\n    published_sign: false"))
    (line,) = mistakes(config)
    assert "key 'published_sign' is given twice" in line


def test_a_value_in_two_places_is_two_values(config):
    """What is filled in at one place does not show at the other."""
    path = config / STUDY
    path.write_text(
        path.read_text().replace("rnd: {}", "rnd: &x {}").replace("random: {}", "fps: *x")
    )
    selectors = load_study("demo-classical", config)[0]["selectors"]
    assert selectors["rnd"]["selector"] == "rnd"
    assert selectors["fps"] == {"selector": "fps"}


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


def test_the_pool_of_another_study_has_that_study_s_potential(config):
    """Else the same pool would be computed with two potentials."""
    alter(config, "systems/nacl.yaml", {"name": "NaCl"})
    content = yaml.safe_load((config / "systems/nacl.yaml").read_text())
    content["potentials"] = dict(reversed(content["potentials"].items()))
    (config / "systems/nacl.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    study, _ = load_study("nacl-gap-laptop", config)
    assert study["pool"]["potential"] == "bmhtf-published-sign"


@pytest.mark.parametrize("name", ["NaCl-KCl", "FLiNaK", "Li7F"])
def test_names_of_mixtures_have_hyphens(name, config):
    alter(config, SYSTEM, {"name": name})
    assert load_study("demo-classical", config)[1]["kcl"]["name"] == name


@pytest.mark.parametrize("name", ["-KCl", "KCl-", "Na--K", "K Cl", "K/Cl"])
def test_other_names_are_refused(name, config):
    alter(config, SYSTEM, {"name": name})
    (line,) = mistakes(config)
    assert "letters and digits, with hyphens between them" in line


NAMES = [
    *("demo", "2026-11-25", "20261125", "007", "010", "1_2", "123_456", "1e5", "1E3", "12.50"),
    *(
        "1.0",
        "0x10",
        "no",
        "on",
        "True",
        "true",
        "null",
        "None",
        "1-2",
        "inf",
        "nan",
        "12e",
        "0b11",
    ),
]


@pytest.mark.parametrize("name", NAMES)
def test_a_study_s_name_is_what_was_written_or_refused_with_the_way_to_write_it(name):
    """Through Snakemake's own reading of ``--config``."""
    from snakemake.cli import parse_config

    taken = parse_config([f"study={name}"])["study"]
    if isinstance(taken, str):
        assert study_name_of(taken) == name
    else:
        with pytest.raises(ConfigError, match="--config 'study=!!str <name>'") as refused:
            study_name_of(taken)
        assert "\n" not in str(refused.value)
    assert study_name_of(parse_config([f"study=!!str {name}"])["study"]) == name


def test_a_study_s_name_in_a_config_file_can_be_quoted():
    for text, name in (("2026-10-10", None), ("'2026-10-10'", "2026-10-10"), ("007", None)):
        taken = yaml.safe_load(f"study: {text}")["study"]
        if name:
            assert study_name_of(taken) == name
        else:
            with pytest.raises(ConfigError, match="study: '<name>' with its quotes in config/"):
                study_name_of(taken)
    with pytest.raises(ConfigError, match="no study is named"):
        study_name_of(None)
