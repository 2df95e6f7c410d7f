"""Material of their own that entries of the registries need in the conformance tests.

A new entry is tested by being in its registry. Where it needs more than its defaults and the shared
frames, it gets a line here, and the test that misses it says which.
"""

import os
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
from ase import Atoms
from ase.build import bulk
from samples import read_system

from conformance.force_calls import Accuracy
from minset.observe import OBSERVABLES as OF_OBSERVABLES
from minset.registry import defaults_of

REPOSITORY = Path(__file__).parents[2]
# ends of names that say what a number is measured in
UNITS = (
    *("_A", "_eV", "_eV_A", "_eV_A3", "_eV_A6", "_eV_A8", "_eV_atom", "_meV_atom", "_inverse_A"),
    *(
        "_K",
        "_bar",
        "_u",
        "_g_cm3",
        "_fs",
        "_ps",
        "_s",
        "_Ry",
        "_S_cm",
        "_1e-9_m2_s",
        "_A2",
        "_A3",
        "_kT",
        "_A3_atom",
        "_GPa",
        "_J_m2",
    ),
)


def _rocksalt():
    return bulk("KCl", "rocksalt", a=6.4, cubic=True) * (2, 2, 2)


def _fcc():
    return bulk("Al", "fcc", a=4.1, cubic=True) * (2, 2, 2)


_LAMMPS = {
    "potential": "lammps",
    "lines": ["pair_style eam/fs", "pair_coeff * * Al_mm.eam.fs {species}"],
    "files": ["Al_mm.eam.fs"],
}
_CALCULATOR = {
    "potential": "calculator",
    "calculator": "ase.calculators.emt:EMT",
    "parameters": {},
    "files": ["README.md"],  # any file will do: its hash counts
}


def _with_potential(value: dict) -> dict:
    return read_system("al") | {"potential": dict(value)}


def _with_charges():
    return read_system("kcl") | {"potential": {"potential": "coulomb", "eps_inf": 2.19}}


# POTENTIALS: a function that gives a system slice with a value of the kind and a crystal of its
# species, and the accuracy of its force calls
POTENTIALS = {
    # charges on a mesh; energies jump where pairs cross the cutoff of 12 A
    "tosi_fumi": (lambda: (read_system("kcl"), _rocksalt()), Accuracy(2e-3, 2e-4)),
    "coulomb": (lambda: (_with_charges(), _rocksalt()), Accuracy(5e-3, 5e-4)),
    # energies are splines through tabulated points
    "eam": (lambda: (read_system("al"), _fcc()), Accuracy(5e-5, 1e-6)),
    "lammps": (lambda: (_with_potential(_LAMMPS), _fcc()), Accuracy(5e-5, 1e-6)),
    "calculator": (lambda: (_with_potential(_CALCULATOR), _fcc()), Accuracy(1e-5, 1e-7)),
}

# GENERATORS: settings of a small pool beyond SHORT, for a melt that is a liquid at a temperature
# frames whole time steps apart, as studies must have them
SHORT = {"ions": 32, "equilibration_ps": 0.5, "duration_ps": 6.4, "frames": 16, "seed": 3}
GENERATORS = {
    "entropy": lambda T: {"densities_g_cm3": [1.0, 0.8], "K_eV": [0, 300]},
    "files": lambda T: {"path": ["README.md", "tests/*.md"]},  # a plan does not read them
    "grem": lambda T: {
        "lambdas_K": [T, T + 100],
        "eta_K_per_eV_atom": -500,
        "enthalpy_eV_atom": -3.3,
        "bath_K": T,
        "pressure_bar": 1000,
        "start": "liquid",
    },
    "multicanonical": lambda T: {
        "enthalpies_eV_atom": [-3.6, -3.0],
        "temperatures_K": [T - 500, T + 500],
        "bath_K": T,
        "pressure_bar": 1000,
    },
    "npt_grid": lambda T: {"temperatures_K": [T, T - 100], "pressures_bar": [1000, 5000]},
    "npt_ramp": lambda T: {"temperature_K": [T, T - 100], "pressure_bar": 1000},
    "transferred": lambda T: {"path": "README.md", "species": {"Ni": "Al"}},
}

# options of descriptors and of selectors that have no default, or with which they are quicker
DESCRIPTORS = {"schnet": {"size": "small"}, "bispectrum": {}}
SELECTORS = {
    "certificate": {"simulation": "npt", "model": "small"},
    "disagreement": {"model": "small"},
    "explore": {
        "model": "small",
        "starts": {
            "crystal": {"from": "rocksalt", "repeat": [1, 1, 1], "strain_percent": 1.0},
            "liquid": {"from": "pool", "strain_percent": 0.0},
        },
        "temperature_K": 300,
        "duration_ps": 0.1,
        "threshold_eV_A": 0.0,
        "system": {
            "species": {
                "K": {"count": 1, "charge": 1.0, "mass_u": 39.0983},
                "Cl": {"count": 1, "charge": -1.0, "mass_u": 35.45},
            },
            "crystal": {"structure": "rocksalt", "a_A": 6.29},
        },
    },
    "rnd": {"max_steps": 20},
    "entropy_gain": {"neighbours": 8},
}


def _two_ions():
    """A primitive cell of KCl off its sites."""
    cell = [[0, 3.0, 3.0], [3.0, 0, 3.0], [3.0, 3.0, 0.3]]
    return Atoms("KCl", [[0, 0, 0.2], [3.0, 2.9, 3.0]], cell=cell, pbc=True)


class Labelling(NamedTuple):
    """What a system file must say, the study's settings, a frame, the accuracy of a force in eV/A, the
    program without which there is no label, whether it takes anything from a system file, and a folder
    whose files belong to the key."""

    section: dict
    given: dict
    frame: Atoms
    accuracy_eV_A: float
    program: str | None = None
    of_system: bool = True
    files: str | None = None


_SMALLEST = {"K": "GTH-PBE-q9", "Cl": "GTH-PBE-q7"}
_CP2K = {
    "method": "GPW",
    "cutoff_Ry": 200,
    "rel_cutoff_Ry": 30,
    "kinds": {
        symbol: {"basis_set": "SZV-MOLOPT-SR-GTH", "potential": potential}
        for symbol, potential in _SMALLEST.items()
    },
}

_PSEUDOPOTENTIALS = "/usr/share/espresso/pseudo"
_ESPRESSO = {
    "pseudopotentials": {"Al": "Al.pz-vbc.UPF", "As": "As.pz-bhs.UPF"},
    "input": {"system": {"ecutwfc": 12}, "electrons": {"conv_thr": 1e-9}},
    "kpoints": [1, 1, 1],
}
_FAKE_VASP = Path(__file__).parents[1] / "fake_vasp"
_VASP = {
    "potcars": {"K": "K_sv", "Cl": "Cl"},
    "incar": {"ENCUT": 520, "EDIFF": 1e-6, "ISMEAR": 0, "SIGMA": 0.05},
    "kpoints": [1, 1, 1],
}
_LENNARD_JONES = {"sigma": 2.7, "epsilon": 0.2, "rc": 5.5, "smooth": True}

# LABELERS: the smallest calculation for a frame of KCl, or of other species that the section names
LABELERS = {
    "ase": Labelling(
        {},
        {"calculator": "ase.calculators.lj:LennardJones", "parameters": _LENNARD_JONES},
        _rocksalt(),
        1e-4,
        of_system=False,
    ),
    "given": Labelling({}, {}, _rocksalt(), 1e-4, of_system=False),
    "potential": Labelling(
        {}, {"potential": "bmhtf"}, _rocksalt(), POTENTIALS["tosi_fumi"][1].forces_eV_A
    ),
    "cp2k": Labelling(
        {"cp2k": _CP2K},
        {"dispersion": "none", "eps_scf": 1e-6, "timeout_s": 800},
        _two_ions(),
        5e-3,
        program="cp2k.psmp",
    ),
    "espresso": Labelling(
        {"espresso": _ESPRESSO, "species": {"Al": {"count": 1}, "As": {"count": 1}}},
        {"pseudo_folder": _PSEUDOPOTENTIALS, "timeout_s": 300},
        bulk("AlAs", "zincblende", a=5.66),
        1e-3,
        program="pw.x",
        files=_PSEUDOPOTENTIALS,
    ),
    # a program that stands for VASP, which is not free
    "vasp": Labelling(
        {"vasp": _VASP},
        {
            "command": f"{sys.executable} {_FAKE_VASP / 'vasp.py'}",
            "potcar_folder": str(_FAKE_VASP / "potcars"),
            "timeout_s": 300,
        },
        _rocksalt(),
        1e-4,
    ),
}

# MODELS: settings and ``training`` with which a few frames are fitted in seconds, and the accuracy of
# force calls: single precision adds up to hundredths of a meV/A in networks
MODELS = {
    "schnet": (
        {"size": "small"},
        {"batch_size": 2, "max_epochs": 4, "learning_rate": 2e-3, "stress_weight": 1.0},
        Accuracy(1e-4, 1e-5),
    ),
    "gap": (
        {"cutoff_A": 4.0, "n_max": 3, "l_max": 2},
        {"sparse_points": 16, "virial_sigma_eV_atom": 0.01},
        Accuracy(1e-6, 1e-8),
    ),
    "acsf": (
        {"hidden": [16]},
        {"batch_size": 2, "max_epochs": 4, "learning_rate": 2e-3, "stress_weight": 1.0},
        Accuracy(1e-5, 1e-7),
    ),
}

# options of observables for a short run in a cell of 10 A
OBSERVABLES = {"rdf": {"range_A": 5.0, "bins": 50}, "transport": {"start_ps": 0.5}}
OBSERVABLES |= {"surface_energy": {"layers": 4}}
OBSERVABLES |= {
    "coverage": {
        "sets": {"pool": {"runs": ["*"]}, "picked": {"selection": "random-n8-s1"}},
        "splits": 3,
        "descriptors": {"descriptor": "schnet", "size": "small", "cutoff_A": 6.0, "seed": 1},
    }
}
# what a job of a certificate gets beside them from its simulation
OF_SIMULATION = {
    "certificate": {
        "engine": "compressed",
        "frames": 8,
        "force_eV_A": 0.05,
        "energy_meV_atom": 2.0,
        "density_percent": 1.0,
        "pressure_bar": 500.0,
        "effective_frames": 4.0,
    }
}
# columns of fractional numbers that have no unit
DIMENSIONLESS = {"g", "g_stderr", "peak_g", "peak_g_stderr", "minimum_g", "coordination_number"}
DIMENSIONLESS |= {"weight", "largest_weight", "effective_frames", "bulk_modulus_derivative"}
# what 8 ps of 32 ions are too few for on some machines: g(r) hardly rises behind its first minimum
MAY_BE_MISSING = {"minimum_r_A", "minimum_g", "coordination_number"}
# those of a table with a row for each quantity, whose column `unit` has it
IN_UNIT = {"model", "labels", "difference", "test_set", "tolerance"}
# of standard deviations, and of nats
DIMENSIONLESS |= {
    f"{name}{end}" for name in ("mean", "median", "maximum") for end in ("", "_low", "_high")
}
DIMENSIONLESS |= {"entropy", "entropy_stddev", "value", "density"}
DIMENSIONLESS |= IN_UNIT | {f"{name}_stderr" for name in IN_UNIT}

# what is missing, in the message of a test
ADD = {
    "POTENTIALS": "a function that gives a system slice with its value and a crystal, and the "
    "accuracy of its force calls",
    "GENERATORS": "a function of a temperature that gives its settings beyond SHORT",
    "LABELERS": "a Labelling",
    "MODELS": "settings and training of a fit of seconds, and the accuracy of force calls",
    "DESCRIPTORS": "the options that have no default",
    "SELECTORS": "the options that have no default",
    "OBSERVABLES": "the options that have no default",
}


def example(registry: str, name: str):
    """Material of an entry; a failure that says what to add where there is none."""
    table = globals()[registry]
    if name not in table:
        pytest.fail(
            f"{registry} has an entry {name!r} of which the conformance tests have no example: add a "
            f"line {name!r} to {registry} in {Path(__file__).name}, {ADD[registry]}",
            pytrace=False,
        )
    return table[name]


def options_of(registry: str, name: str, record) -> dict:
    """Complete options of an entry: its defaults, and what its example gives."""
    options = defaults_of(record.options)
    needs_example = set(getattr(record, "required", ())) - set(options)
    return options | (
        example(registry, name) if needs_example else globals()[registry].get(name, {})
    )


def observable_settings(name: str) -> dict:
    """What a job gets: temperature, time step, complete options, and another environment's python."""
    record = OF_OBSERVABLES[name]
    settings = {"temperature_K": 1200.0, "timestep_fs": 2.0}
    for other in (name, *record.options_of):
        settings |= options_of("OBSERVABLES", other, OF_OBSERVABLES[other])
    settings |= OF_SIMULATION.get(name, {})
    if record.environment != "minset":
        place = REPOSITORY / f".venv-{record.environment}/bin/python"
        python = Path(os.environ.get(f"MINSET_{record.environment.upper()}_PYTHON", place))
        if not python.exists():
            pytest.skip(f"no environment of {record.environment}: {python} is missing")
        settings["python"] = str(python)
    return settings
