"""Multicanonical pools: order, bias, its forces and virial, the conserved energy, and going on."""

import numpy as np
import pytest
from ase.build import bulk
from samples import label_settings, read_system

from minset.label.potential import label
from minset.md.run import Protocol, run_md
from minset.md.session import gather, load_atoms, open_lammps
from minset.md.start import start_from_crystal
from minset.pool import multicanonical_run
from minset.pool.multicanonical import mistakes, plan
from minset.pool.multicanonical_bias import fresh_bias, order, saved_bias, waves_of
from minset.pool.multicanonical_run import biased_engine, run_multicanonical
from minset.units import BAR_EV_A3

SETTINGS = {
    "enthalpies_eV_atom": [-4.75, -4.3],
    "temperatures_K": [1000, 2400],
    "bath_K": 1850.0,
    "pressure_bar": 5000.0,
    "enthalpy_bins": 20,
    "order_bins": 6,
    "weight_kT": 0.1,
    "ions": 32,
    "timestep_fs": 2.0,
    "equilibration_ps": 1.0,
    "duration_ps": 12.0,
    "frames": 40,
    "seed": 3,
    "runs": 1,
    "start": "crystal",
}
WAVES = waves_of("fcc", (2, 2, 2))


@pytest.fixture(scope="module")
def ni():
    return read_system("ni")


@pytest.fixture(scope="module")
def run():
    return plan(SETTINGS)[0]


def displaced(seed=1, scale=0.2):
    atoms = bulk("Ni", a=3.6, cubic=True) * (2, 2, 2)
    atoms.rattle(scale, seed=seed)
    return atoms


@pytest.mark.parametrize(
    ("crystal", "structure"),
    [
        (bulk("Ni", a=3.52, cubic=True), "fcc"),
        (bulk("W", a=3.16, cubic=True), "bcc"),
        (bulk("KCl", "rocksalt", a=6.29, cubic=True), "rocksalt"),
    ],
    ids=["fcc", "bcc", "rocksalt"],
)
def test_the_order_of_a_crystal_is_one_wherever_it_lies_and_of_random_atoms_one_in_n(
    crystal, structure
):
    atoms = crystal * (3, 3, 3)
    waves = waves_of(structure, (3, 3, 3))
    value, gradient = order(atoms.positions + np.array([0.3, 0.7, 0.1]), atoms.cell[:], waves)
    assert value == pytest.approx(1)
    assert gradient == pytest.approx(0, abs=1e-9)
    rng, n = np.random.default_rng(1), len(atoms)
    values = [
        order(rng.random((n, 3)) @ atoms.cell[:], atoms.cell[:], waves)[0] for _ in range(200)
    ]
    assert np.mean(values) == pytest.approx(1 / n, rel=0.3)


def test_the_gradient_of_the_order_is_its_derivative_and_strain_changes_nothing():
    atoms = displaced()
    value, gradient = order(atoms.positions, atoms.cell[:], WAVES)
    for atom, axis in ((0, 0), (13, 2)):
        ends = []
        for step in (1e-4, -1e-4):
            moved = atoms.positions.copy()
            moved[atom, axis] += step
            ends.append(order(moved, atoms.cell[:], WAVES)[0])
        assert (ends[0] - ends[1]) / 2e-4 == pytest.approx(gradient[atom, axis], rel=1e-5)
    strained = atoms.copy()
    strain = np.array([[1.1, 0, 0], [0.03, 0.9, 0], [0, 0, 1.05]])
    strained.set_cell(atoms.cell[:] @ strain, scale_atoms=True)
    assert order(strained.positions, strained.cell[:], WAVES)[0] == pytest.approx(value)


@pytest.fixture
def hilly(run):
    """A bias that has learned at random."""
    rng, bias = np.random.default_rng(2), fresh_bias(run)
    for _ in range(60):
        bias.deposit(32 * rng.uniform(-4.75, -4.3), rng.random())
    return bias


def test_slopes_of_the_bias_are_its_derivatives_also_beyond_the_knots(hilly):
    for h, q in ((-4.6, 0.3), (-4.4, 0.75), (-4.9, 0.5), (-4.2, 0.1)):
        _, by_enthalpy, by_order = hilly.at(32 * h, q)
        rise = hilly.at(32 * h + 1e-4, q)[0] - hilly.at(32 * h - 1e-4, q)[0]
        assert rise / 2e-4 == pytest.approx(by_enthalpy, rel=1e-5)
        rise = hilly.at(32 * h, q + 1e-5)[0] - hilly.at(32 * h, q - 1e-5)[0]
        assert rise / 2e-5 == pytest.approx(by_order, rel=1e-4)
    # canonical at 1000 K: T0/T - 1
    assert hilly.at(32 * -4.9, 0.5)[1] == pytest.approx(1850 / 1000 - 1)


def test_a_visit_raises_the_bias_most_where_it_was_and_even_visits_halve_the_weight(run):
    bias = fresh_bias(run)
    bias.deposit(32 * -4.525, 0.5)
    assert np.unravel_index(bias.values_eV.argmax(), bias.values_eV.shape) == (10, 3)
    assert bias.values_eV.max() == pytest.approx(bias.weight_eV, rel=0.01)
    for h in np.resize(32 * np.linspace(-4.74, -4.31, 20), 1600):
        bias.count(h)
    assert bias.weight_eV == bias.first_weight_eV / 2
    uneven = fresh_bias(run)
    for _ in range(2000):
        uneven.count(32 * -4.6)
    assert uneven.weight_eV == uneven.first_weight_eV


def energy_of(ni, run, bias, atoms, monkeypatch):
    """Energy in eV, forces and pressure in bar of LAMMPS with a bias, without motion."""
    monkeypatch.setattr(multicanonical_run, "fresh_bias", lambda run: bias)
    lmp = open_lammps()
    load_atoms(lmp, atoms, ni)
    biased_engine(run, WAVES, None, 10**9, learns=False)(lmp, list(atoms.symbols), ni)
    lmp.command("thermo_style custom step pe press")
    lmp.command("run 0")
    return lmp.get_thermo("pe"), gather(lmp, "f", 3), lmp.get_thermo("press")


def test_forces_and_pressure_are_derivatives_of_the_biased_energy(ni, run, hilly, monkeypatch):
    atoms = displaced()
    energy, forces, pressure = energy_of(ni, run, hilly, atoms, monkeypatch)
    unbiased = label(atoms, label_settings(ni), None, 1)
    assert abs(energy - unbiased.energy_eV) > 0.01  # the bias is felt
    for atom, axis in ((3, 1), (20, 0)):
        ends = []
        for step in (1e-3, -1e-3):
            moved = atoms.copy()
            moved.positions[atom, axis] += step
            ends.append(energy_of(ni, run, hilly, moved, monkeypatch)[0])
        assert -(ends[0] - ends[1]) / 2e-3 == pytest.approx(forces[atom, axis], abs=2e-3)
    ends = []
    for strain in (1e-4, -1e-4):
        moved = atoms.copy()
        moved.set_cell(atoms.cell[:] * (1 + strain), scale_atoms=True)
        ends.append(energy_of(ni, run, hilly, moved, monkeypatch)[0])
    expected = -(ends[0] - ends[1]) / (2e-4 * 3 * atoms.cell.volume) / BAR_EV_A3
    assert pressure == pytest.approx(expected, rel=1e-3, abs=20)


def test_the_energy_is_conserved_with_a_bias_that_does_not_learn(
    ni, run, hilly, monkeypatch, tmp_path
):
    monkeypatch.setattr(multicanonical_run, "fresh_bias", lambda run: hilly)
    protocol = Protocol(
        ensemble="npt",
        temperature_K=(1850.0, 1850.0),
        pressure_bar=run["pressure_bar"],
        duration_ps=5.0,
        timestep_fs=1.0,
        sample_ps=5.0,
        thermo_ps=0.05,
        seed=1,
        limits={"energy_eV_atom": 2.0},
    )
    attach = biased_engine(run, WAVES, tmp_path, 10**9, learns=False)
    start = start_from_crystal(ni, 32)
    assert run_md(start, ni, attach, protocol, tmp_path)["stable"]
    energy = np.genfromtxt(tmp_path / "thermo.csv", delimiter=",", names=True)[
        "conserved_energy_eV"
    ]
    drift = np.polyfit(np.arange(len(energy)) * 0.05, energy, 1)[0] * 5
    assert abs(drift) < 0.1  # of 8 eV of kinetic energy; bilinear instead of cubic: 5 eV
    assert energy.std() < 0.1


def test_a_killed_run_goes_on_with_what_the_bias_had_learned(ni, run, monkeypatch, tmp_path):
    engine, told = multicanonical_run.potential_engine, []

    def dies_after_the_first_chunk():
        def attach(*given):
            alarm = engine()(*given)

            def tells():
                told.append(alarm())
                if len(told) == 2:  # the first is of the equilibration
                    raise KeyError("killed")

            return tells

        return attach

    monkeypatch.setattr(multicanonical_run, "potential_engine", dies_after_the_first_chunk)
    with pytest.raises(KeyError, match="killed"):
        run_multicanonical(ni, run, tmp_path)
    before = saved_bias(tmp_path / "bias/bias-2500.npz")
    assert before.values_eV.max() > 0
    monkeypatch.setattr(multicanonical_run, "potential_engine", engine)
    frames = run_multicanonical(ni, run, tmp_path).frames
    assert len(frames) == 40
    after = saved_bias(tmp_path / "bias/bias-5000.npz")
    assert (after.values_eV >= before.values_eV).all()
    assert after.visits.sum() >= before.visits.sum()
    energies = np.array([frame.get_potential_energy() for frame in frames]) / 32
    assert energies.max() - energies.min() > 0.1
    point = label(frames[-1], label_settings(ni), tmp_path, 1)
    assert frames[-1].get_forces() == pytest.approx(point.forces_eV_A, abs=1e-6)
    assert frames[-1].get_potential_energy() == pytest.approx(point.energy_eV, abs=1e-6)


def test_a_crystal_without_waves_and_limits_that_fall_are_told(ni):
    assert mistakes(SETTINGS, ni) == []
    hcp = {"species": {"Mg": {"count": 1}}}
    assert "knows fcc, bcc, rocksalt, and this is hcp" in mistakes(SETTINGS, hcp)[0]
    falling = SETTINGS | {"enthalpies_eV_atom": [-4.3, -4.75]}
    assert mistakes(falling, ni) == [
        "enthalpies_eV_atom: -4.3 and -4.75; the second must be larger"
    ]
