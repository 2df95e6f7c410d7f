"""A universal potential in an environment of its own: CHGNet's stress, and a pool of molten NaCl."""

from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk
from samples import read_system

from minset.pool.npt import run_npt
from minset.potential.forces import evaluator
from minset.units import density_g_cm3

PYTHON = Path(__file__).parents[2] / ".venv-chgnet/bin/python"
VALUE = {
    "potential": "calculator",
    "calculator": "chgnet.model.dynamics:CHGNetCalculator",
    "parameters": {"use_device": "cpu"},
    "python": str(PYTHON),
    "files": [],
}
pytestmark = pytest.mark.skipif(
    not PYTHON.exists(), reason=f"no environment of CHGNet: {PYTHON} is missing"
)


@pytest.fixture
def nacl():
    return read_system("nacl") | {"potential": VALUE}


def test_its_pressure_is_the_derivative_of_its_energy_by_the_volume(nacl):
    crystal = bulk("NaCl", "rocksalt", a=5.7, cubic=True) * (2, 2, 2)
    crystal.rattle(0.1, seed=1)
    evaluate = evaluator(nacl, crystal.numbers)

    def energy_eV(scale):
        return evaluate(crystal.positions * scale, crystal.cell[:] * scale).energy_eV

    step = 2e-3
    slope = (energy_eV(1 + step) - energy_eV(1 - step)) / (2 * step)
    virial = evaluate(crystal.positions, crystal.cell[:]).virial_eV
    assert abs(slope) > 5
    assert np.trace(virial) == pytest.approx(slope, rel=0.01)


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_two_picoseconds_of_64_ions_are_a_liquid(nacl, tmp_path):
    run = {
        "ions": 64,
        "temperature_K": [1300, 1300],
        "pressure_bar": 1000,
        "seed": 1,
        "timestep_fs": 2.0,
        "equilibration_ps": 0.5,
        "duration_ps": 2.0,
        "frames": 20,
        "density_g_cm3": 1.45,
    }
    frames, note = run_npt(nacl, run, tmp_path)
    assert note == ""
    densities = [density_g_cm3(f.get_masses().sum(), f.cell.volume) for f in frames]
    # experiment (Janz 1988): 1.43 g/cm^3; a short run of a small cell
    assert np.mean(densities) == pytest.approx(1.43, rel=0.08)
    assert all("energy" in frame.calc.results for frame in frames)
