"""Study and system files: good ones load, each mistake gives one line with file, key and remedy."""

import shutil
from pathlib import Path

import pytest
import yaml

from minset.config import ConfigError, load_study
from minset.config.schema import REGISTRIES

CONFIG = Path(__file__).parents[2] / "config"
PAIR = dict.fromkeys(("A_eV", "rho_A", "sigma_A", "C_eV_A6", "D_eV_A8"), 1.0)
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

NAF = """
name: NaF
species:
  Na: {charge: 1.0, mass_u: 22.98977, count: 1}
  F: {charge: -1.0, mass_u: 18.998403, count: 1}
melting_point_K: {value: 1269, source: a test}
potential:
  form: born-mayer-huggins-tosi-fumi
  source: a test
  pairs:
    Na-Na: {A_eV: 0.26, rho_A: 0.33, sigma_A: 2.34, C_eV_A6: 1, D_eV_A8: 5e-1}
    F-Na: {A_eV: 0.21, rho_A: 0.33, sigma_A: 2.35, C_eV_A6: 3, D_eV_A8: 2}
    F-F: {A_eV: 0.16, rho_A: 0.33, sigma_A: 2.36, C_eV_A6: 10, D_eV_A8: 12}
reference:
  density:
    - {name: a test, a_g_cm3: 2.7, b_g_cm3_K: 5.6e-4, min_K: 1270, max_K: 1400, source: a test}
"""


@pytest.fixture
def config(tmp_path) -> Path:
    return Path(shutil.copytree(CONFIG, tmp_path / "config"))


def alter(config: Path, file: str, changes: dict) -> None:
    """Set values by key, as `parent/key`, in a YAML file; None takes the key away."""
    content = yaml.safe_load((config / file).read_text())
    for key, value in changes.items():
        *parents, last = key.split("/")
        place = content
        for parent in parents:
            place = place[parent]
        if value is None:
            del place[last]
        else:
            place[last] = value
    (config / file).write_text(yaml.safe_dump(content, sort_keys=False))


def mistakes(config: Path, study: str = "demo-classical") -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_study(study, config)
    return str(caught.value).splitlines()


@pytest.mark.parametrize("path", sorted((CONFIG / "studies").glob("*.yaml")), ids=lambda p: p.stem)
def test_every_study_loads_with_its_defaults(path):
    study, systems = load_study(path.stem, CONFIG)
    written = yaml.safe_load(path.read_text())
    if pool_of := written["pool"].get("study"):
        written["pool"] |= yaml.safe_load(path.with_name(f"{pool_of}.yaml").read_text())["pool"]
    assert list(systems) == written["systems"]
    defaults = {"generator": "npt_ramp", "potential": "bmhtf", "failed_share": 0.25}
    assert study["pool"].items() >= (defaults | written["pool"]).items()
    assert study["descriptors"]["cutoff_A"] == 6.0
    for name, model in study["models"].items():
        assert model["model"] == written["models"][name].get("model", "schnet")
        own = {"schnet": {"batch_size", "patience", "stress_weight"}, "gap": {"sparse_points"}}
        assert own[model["model"]] <= set(model["training"])
    for simulation in study["simulations"].values():
        assert {"density_g_cm3", "limits", "sample_ps", "seed"} <= set(simulation)
    assert {"batches", "net_force_gate_eV_A", "failed_share", "settings"} <= set(study["labels"])


MISTAKES = {
    "unknown key": (STUDY, {"colour": "red"}, "unknown key colour", "known are description, "),
    "unknown key further in": (
        STUDY,
        {"models/small/training/epochs": 3},
        "models.small.training: unknown key epochs",
        "known are batch_size, energy_weight, force_weight, learning_rate, max_epochs",
    ),
    "key of a SchNet for a GAP": (
        STUDY,
        {"models/soap": {"model": "gap", "size": "small"}},
        "models.soap: unknown key size",
        "known of `gap` are atom_sigma_A, cutoff_A, ",
    ),
    "key of a GAP for a SchNet": (
        STUDY,
        {"models/small/zeta": 2},
        "models.small: unknown key zeta",
        "known of `schnet` are cutoff_A, gaussians, ",
    ),
    "SchNet without a size": (STUDY, {"models/small/size": None}, "models.small: ", "key size"),
    "unknown kind of model": (
        STUDY,
        {"models/small/model": "mlp"},
        "models.small.model: 'mlp' is not known",
        "choose from gap, schnet",
    ),
    "unknown key of a system": (
        SYSTEM,
        {"species/K/radius": 1.5},
        "species.K: unknown key radius",
        "known are charge, count, mass_u",
    ),
    "missing keys": (
        STUDY,
        {"pool/ions": None, "pool/seed": None},
        "pool: ",
        "missing key ions, seed",
    ),
    "GPU for a rule that cannot use it": (
        STUDY,
        {"gpu": ["label"]},
        "gpu.0: 'label' is not known",
        "choose from train, simulate",
    ),
    "wrong type": (STUDY, {"pool/frames": "many"}, "pool.frames: ", "not of type 'integer'"),
    "out of range": (STUDY, {"pool/duration_ps": -1}, "pool.duration_ps: ", "minimum of 0"),
    "wrong type among alternatives": (
        STUDY,
        {"simulations/nvt_1200K/density_g_cm3": "dense"},
        "simulations.nvt_1200K.density_g_cm3: 'dense'",
        "give 'experiment' or a number",
    ),
    "setting of another labeler": (
        STUDY,
        {"labels/settings": {"cutoff_Ry": 400}},
        "labels.settings.cutoff_Ry: the labeler lammps has no such setting",
        "it takes potential",
    ),
    "missing parameters of a pair": (
        SYSTEM,
        {"potential/pairs/K-Cl": None},
        "potential.pairs: ",
        "parameters of K-Cl are missing",
    ),
    "pair of an unknown species": (
        SYSTEM,
        {"potential/pairs/K-Br": PAIR},
        "potential.pairs.K-Br: ",
        "Br is not in species",
    ),
    "pair given both ways round": (
        SYSTEM,
        {"potential/pairs/Cl-K": PAIR},
        "potential.pairs.K-Cl: ",
        "the same pair as Cl-K; keep one",
    ),
    "charged formula unit": (
        SYSTEM,
        {"species/K/charge": 2.0},
        "species: one formula unit has a charge of +1 e",
        "must be 0",
    ),
    "size larger than the pool": (
        STUDY,
        {"sizes": [8, 181]},
        "sizes: 181 frames cannot be selected from 180",
        "raise pool.frames",
    ),
    "held-out frames larger than the pool": (
        STUDY,
        {"test/frames": 200},
        "sizes: 8 frames cannot be selected from -4",
        "raise pool.frames",
    ),
    "RDF range of nvt": (
        STUDY,
        {"rdf/range_A": 6.5},
        "simulations.nvt_1200K.ions: 32 ions make a cell of 11.",
        "use more ions or a range of at most 5.",
    ),
    "RDF range of nve": (
        STUDY,
        {"simulations/nvt_1200K/ensemble": "nve", "rdf/range_A": 6.5},
        "simulations.nvt_1200K.ions: 32 ions make a cell of 11.",
        "use more ions or a range of at most 5.",
    ),
    "pool of an unknown study": (
        STUDY,
        {"pool": {"study": "nothing"}},
        "pool.study: ",
        "studies/nothing.yaml does not exist; there are: demo",
    ),
    "pool of a study without one": (
        STUDY,
        {"pool": {"study": "nacl-rnd-options-laptop"}},
        "pool.study: nacl-rnd-options-laptop has no pool of its own",
        "name nacl-selectors-laptop",
    ),
    "option of another selector": (
        STUDY,
        {"selectors/random": {"max_steps": 10}},
        "selectors.random.max_steps: a key of rnd, not of random",
        "a key of rnd",
    ),
    "test runs that the pool does not have": (
        STUDY,
        {"test/temperatures_K": [1400]},
        "test.temperatures_K: 1400 K is not among pool.temperatures_K",
        "whose runs serve the test alone",
    ),
    "more seeds at a size that is not there": (
        STUDY,
        {"more_seeds": {"sizes": [12], "seeds": [2]}},
        "more_seeds.sizes: 12 is not among",
        "the study's sizes",
    ),
    "more seeds that are there already": (
        STUDY,
        {"more_seeds": {"sizes": [8], "seeds": [1]}},
        "more_seeds.seeds: 1 is among the study's seeds already",
        "already",
    ),
    "unknown selector": (
        STUDY,
        {"selectors": {"fastest": {}}},
        "selectors.fastest: no selector of that name",
        "choose from atomic_energy, entropy_gain, ",
    ),
    "unknown selector under another name": (
        STUDY,
        {"selectors/mine": {"selector": "fastest"}},
        "selectors.mine.selector: 'fastest' is not known",
        "choose from atomic_energy, entropy_gain, ",
    ),
    "temperature outside every density fit": (
        STUDY,
        {"simulations/npt_1200K/temperature_K": 2000},
        "simulations.npt_1200K.temperature_K: 2000 K is outside every density fit of KCl (Janz",
        "change it or give density_g_cm3 as a number",
    ),
    "half a formula unit in the pool": (
        STUDY,
        {"pool/ions": 33},
        "pool.ions: 33 ions do not make whole formula units of KCl",
        "use a multiple of 2",
    ),
    "half a formula unit at constant volume": (
        STUDY,
        {"simulations/nvt_1200K/ions": 33},
        "simulations.nvt_1200K.ions: 33 ions do not make whole formula units of KCl",
        "use a multiple of 2",
    ),
    "unknown labeler": (
        STUDY,
        {"labels/labeler": "vasp"},
        "labels.labeler: 'vasp' is not known",
        "choose from cp2k, lammps",
    ),
    "simulation of an unknown size": (
        STUDY,
        {"simulations/nvt_1200K/sizes": [8, 16]},
        "simulations.nvt_1200K.sizes: 16 is not among",
        "the study's sizes (8)",
    ),
    "simulation of an unknown selector": (
        STUDY,
        {"simulations/nvt_1200K/selectors": ["fps"]},
        "simulations.nvt_1200K.selectors: fps is not among",
        "the study's selectors (rnd, random)",
    ),
    "simulation too short for its transport": (
        STUDY,
        {"simulations/nvt_1200K/duration_ps": 4},
        "simulations.nvt_1200K.duration_ps: 4 ps is less than ten times transport.start_ps",
        "run at least 5 ps",
    ),
    "frames closer than a time step": (
        STUDY,
        {"pool/duration_ps": 0.3},
        "pool.frames: 200 frames in 0.3 ps are closer than one time step",
        "lengthen pool.duration_ps",
    ),
    "frames between time steps": (
        STUDY,
        {"pool/frames": 300},
        "pool.frames: 300 frames in 20 ps are 33.33 time steps apart",
        "must be a whole number; 20.4 ps would do",
    ),
    "key of a grid for a ramp": (
        STUDY,
        {"pool/temperatures_K": [1100, 1700]},
        "pool.temperatures_K: ",
        "a key of npt_grid, not of npt_ramp",
    ),
    "key of a ramp for a grid": (
        STUDY,
        {"pool": GRID | {"pressure_bar": 1}},
        "pool.pressure_bar: ",
        "a key of npt_ramp, not of npt_grid",
    ),
    "ramp without its pressure": (
        STUDY,
        {"pool/pressure_bar": None},
        "pool: missing key pressure_bar",
        "npt_ramp needs it",
    ),
    "grid without temperatures and pressures": (
        STUDY,
        {"pool": {k: v for k, v in GRID.items() if not k.endswith(("_K", "_bar"))}},
        "pool: missing key temperatures_K, pressures_bar",
        "npt_grid needs it",
    ),
    "size larger than a grid's pool": (
        STUDY,
        {"pool": GRID, "sizes": [8, 221]},
        "sizes: 221 frames cannot be selected from 220 (pool.frames of 6 runs less test",
        "raise pool.frames",
    ),
    "temperature given twice": (
        STUDY,
        {"pool": GRID | {"temperatures_K": [1300, 1300.0]}},
        "pool.temperatures_K: ",
        "non-unique",
    ),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_a_mistake_gives_one_line_with_file_key_and_remedy(case, config):
    file, changes, key, remedy = MISTAKES[case]
    alter(config, file, changes)
    lines = mistakes(config)
    assert len(lines) == 1
    assert lines[0].startswith(f"{config / file}: {key}")
    assert remedy in lines[0]


def test_cp2k_without_a_kind_names_the_system_file(config):
    alter(config, SYSTEM, {"cp2k/kinds/Cl": None})
    lines = mistakes(config, "demo")
    assert len(lines) == 1
    assert lines[0].startswith(f"{config / 'studies/demo.yaml'}: labels.labeler: cp2k needs ")
    assert lines[0].endswith(f"cp2k.kinds.Cl in {config / SYSTEM}")
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
    assert line == f"{config / 'systems/licl.yaml'} does not exist; there are: kcl, nacl"


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
    assert systems["naf"]["potential"]["pairs"]["Na-Na"]["D_eV_A8"] == 0.5


def test_a_study_is_checked_against_each_of_its_salts(config):
    """A density that suits one salt leaves another's cell too small for the RDF."""
    (config / "systems/naf.yaml").write_text(NAF)
    alter(config, STUDY, {"systems": ["kcl", "naf"]})
    alter(config, STUDY, {"simulations/nvt_1200K/density_g_cm3": 1.43})
    assert [line.split(": ")[1] for line in mistakes(config)] == [
        "simulations.nvt_1200K.ions",
        "simulations.npt_1200K.temperature_K",
    ]


CHOICES = {
    "generators": ("pool/generator", "pool.generator"),
    "labelers": ("labels/labeler", "labels.labeler"),
    "models": ("models/mine", "models.mine.model"),
    "potentials": ("pool/potential", "pool.potential"),
    "selectors": ("selectors/mine", "selectors.mine.selector"),
}


@pytest.mark.parametrize("registry", REGISTRIES)
def test_allowed_names_are_those_of_the_registry(registry, config):
    place, key = CHOICES[registry]
    pools = {"npt_grid": GRID, "npt_ramp": yaml.safe_load((config / STUDY).read_text())["pool"]}

    def named(name):
        if registry == "models":
            return {place: {"model": name} | ({} if name == "gap" else {"size": "small"})}
        if name in REGISTRIES["generators"]:
            return {"pool": pools[name]}
        return {place: {"selector": name} if registry == "selectors" else name}

    alter(config, STUDY, named("no_such_thing"))
    names = ", ".join(sorted(REGISTRIES[registry]))
    assert mistakes(config) == [
        f"{config / STUDY}: {key}: 'no_such_thing' is not known; choose from {names}"
    ]
    for name in REGISTRIES[registry]:
        alter(config, STUDY, named(name))
        load_study("demo-classical", config)
