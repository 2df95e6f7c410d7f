"""The library installed by pip, outside of the repository: it runs trained models by itself."""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import minset

REPOSITORY = Path(__file__).parents[2]
MODEL = REPOSITORY / "results/published/kcl-dft-laptop/models/entropy_gain-n32-s1-charges"
PIP = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation"]

USE = f"""
import sys, warnings
sys.path.insert(0, "packages")
import numpy as np
from ase.build import bulk
from ase.calculators.calculator import CalculatorSetupError
import minset
from minset.calculator import ModelCalculator
assert "/packages/minset/" in minset.__file__, minset.__file__

atoms = bulk("KCl", "rocksalt", a=6.4, cubic=True)
atoms.rattle(0.1)
atoms.calc = ModelCalculator({str(MODEL)!r}, reference=True)
energy, forces, stress = atoms.get_potential_energy(), atoms.get_forces(), atoms.get_stress()
assert atoms.get_potential_energy(force_consistent=True) == energy
assert abs(atoms.get_potential_energies().sum() - energy) < 1e-6
step = atoms.copy()
step.calc = atoms.calc
energies = []
for shift in (1e-3, -1e-3):
    step.positions[1, 0] = atoms.positions[1, 0] + shift
    energies.append(step.get_potential_energy())
assert abs(-(energies[0] - energies[1]) / 2e-3 - forces[1, 0]) < 5e-3, (energies, forces[1])
volumes = []
for scale in (1 + 1e-3, 1 - 1e-3):
    strained = atoms.copy()
    strained.set_cell(atoms.cell * scale, scale_atoms=True)
    strained.calc = atoms.calc
    volumes.append((strained.get_volume(), strained.get_potential_energy()))
(v1, e1), (v2, e2) = volumes
assert abs((e1 - e2) / (v1 - v2) - stress[:3].mean()) < 1e-4, (volumes, stress)

for other, words in ((bulk("NaCl", "rocksalt", a=5.6), "knows no Na"), (atoms.copy(), "periodic")):
    if words == "periodic":
        other.pbc = False
    other.calc = ModelCalculator({str(MODEL)!r}, reference=True)
    try:
        other.get_forces()
    except CalculatorSetupError as error:
        assert words in str(error), error
    else:
        raise AssertionError(words)

pair = ModelCalculator([{str(MODEL)!r}] * 2, reference=True, warn_above_eV_A=0.01)
with warnings.catch_warnings():
    warnings.simplefilter("error")
    pair.calculate(atoms)
assert pair.results["committee_spread"].shape == (len(atoms),)
assert pair.results["committee_spread"].max() == 0.0
assert np.allclose(pair.results["forces"], forces)
print("done")
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """A folder with the package in ``packages``."""
    folder = tmp_path_factory.mktemp("installed")
    copy = folder / "repository"
    for name in ("pyproject.toml", "LICENSE", "README.md"):
        copy.mkdir(exist_ok=True)
        shutil.copy(REPOSITORY / name, copy)
    caches = shutil.ignore_patterns("__pycache__", "*.egg-info")
    shutil.copytree(REPOSITORY / "workflow/minset", copy / "workflow/minset", ignore=caches)
    command = [*PIP, "--target", str(folder / "packages"), str(copy)]
    subprocess.run(command, check=True, cwd=folder)
    shutil.rmtree(copy)
    return folder


def test_its_version_is_that_of_the_library():
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    assert project["version"] == minset.__version__


def test_every_module_is_in_it(installed):
    given = {
        p.relative_to(REPOSITORY / "workflow") for p in (REPOSITORY / "workflow").rglob("*.py")
    }
    there = {p.relative_to(installed / "packages") for p in (installed / "packages").rglob("*.py")}
    assert given <= there


def test_its_calculator_runs_a_model_outside_of_the_repository(installed):
    done = subprocess.run(
        [sys.executable, "-I", "-c", USE], cwd=installed, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "done"
