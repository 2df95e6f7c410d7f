"""Study and system files as they are read: YAML, several systems, new entries of registries, names."""

from types import SimpleNamespace

import pytest
import yaml
from records import RECORDS
from studies import CONFIG, STUDY, SYSTEM, alter, mistakes

from minset.config import ConfigError, load_study, study_name_of

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
    assert ", demo, demo-classical, demo-espresso, " in line
    alter(config, STUDY, {"systems": ["rbcl"]})
    (line,) = mistakes(config)
    known = ", ".join(sorted(path.stem for path in (config / "systems").glob("*.yaml")))
    assert line == f"{config / 'systems/rbcl.yaml'} does not exist; there are: {known}"


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


@pytest.mark.parametrize("name", ["NaCl-KCl", "FLiNaK", "Li7F"])
def test_names_of_mixtures_have_hyphens(name, config):
    alter(config, SYSTEM, {"name": name})
    assert load_study("demo-classical", config)[1]["kcl"]["name"] == name


@pytest.mark.parametrize("name", ["-KCl", "KCl-", "Na--K", "K Cl", "K/Cl"])
def test_other_names_are_refused(name, config):
    alter(config, SYSTEM, {"name": name})
    (line,) = mistakes(config)
    assert "letters and digits, with hyphens between them" in line


def test_a_new_entry_needs_no_schema(config, monkeypatch):
    """A record in a registry is all: its options are checked, filled in and told apart."""
    new = SimpleNamespace(
        options={"depth": {"type": "integer", "minimum": 1, "default": 3}},
        required=(),
        needs=lambda options: {"frames"},
        mistakes=lambda *_: [],
    )
    monkeypatch.setitem(RECORDS["selectors"], "deepest", new)
    alter(config, STUDY, {"selectors/deepest": {}})
    study, _ = load_study("demo-classical", config)
    assert study["selectors"]["deepest"] == {"selector": "deepest", "depth": 3}
    alter(config, STUDY, {"selectors/deepest": {"depth": 0}})
    assert "selectors.deepest.depth: 0 is less than the minimum of 1" in mistakes(config)[0]
    alter(config, STUDY, {"selectors/deepest": {}, "selectors/random": {"depth": 2}})
    assert "selectors.random.depth: a key of deepest, not of random" in mistakes(config)[0]


def test_an_observable_with_options_has_a_key_of_its_own(config, monkeypatch):
    angles = RECORDS["observables"]["rdf"].__dict__ | {
        "options": {"bins": {"type": "integer", "default": 90}},
        "mistakes": lambda *_: [],
    }
    monkeypatch.setitem(RECORDS["observables"], "angles", SimpleNamespace(**angles))
    study, _ = load_study("demo-classical", config)
    assert study["angles"] == {"bins": 90}
    assert "angles" in study["simulations"]["nvt_1200K"]["observables"]
    alter(config, STUDY, {"angles": {"range_A": 3}})
    assert "angles: unknown key range_A; known of `angles` are bins" in mistakes(config)[0]


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
