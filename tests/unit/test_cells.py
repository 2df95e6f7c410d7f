"""Tilted, rotated and left-handed cells: LAMMPS sees them in its own frame, and nobody notices."""

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from scipy.spatial.transform import Rotation

from minset.md.cell import restricted
from minset.md.engines import LIMITS, model_engine, potential_engine
from minset.md.run import FINAL, TRAJECTORY, Protocol, read_thermo, run_md
from minset.md.session import load_atoms, open_lammps
from minset.md.trajectory import read_trajectory, to_universe
from minset.model import evaluator_of
from minset.potential.forces import evaluator
from minset.units import BAR_EV_A3

ROTATION = Rotation.from_euler("xyz", [31, -57, 112], degrees=True).as_matrix()
# each gives a cell of the same lattice as before
COMBINATIONS = {
    "as it is": np.eye(3),
    "left-handed": np.diag([1.0, 1.0, -1.0]),
    "skewed": np.array([[1.0, 0, 0], [3, 1, 0], [-5, 4, 1]]),
    "turned": np.array([[0.0, 1, 0], [0, 0, 1], [1, 0, 0]]),
}


def tilted(name: str) -> Atoms:
    """Atoms off their sites in a sheared, rotated cell of primitive vectors."""
    crystal = {
        "kcl": lambda: bulk("KCl", "rocksalt", a=6.4) * (3, 3, 3),
        "al": lambda: bulk("Al", "fcc", a=4.1) * (4, 4, 4),
    }[name]()
    strain = np.array([[0.02, 0.05, -0.03], [0.0, -0.01, 0.04], [0.0, 0.0, 0.03]])
    crystal.set_cell(crystal.cell[:] @ (np.eye(3) + strain) @ ROTATION, scale_atoms=True)
    crystal.rattle(0.15, seed=2)
    return crystal


@pytest.fixture(params=["kcl", "al"])
def case(request):
    """System, atoms in a tilted cell, and their force calls."""
    system = request.getfixturevalue(request.param)
    atoms = tilted(request.param)
    return system, atoms, evaluator(system, atoms.numbers)


@pytest.mark.parametrize("combination", COMBINATIONS.values(), ids=COMBINATIONS)
def test_a_restricted_cell_is_triangular_and_leads_back(combination):
    cell = combination @ tilted("kcl").cell[:]
    box = restricted(cell)
    assert np.array_equal(box.cell_A, np.tril(box.cell_A))
    assert (np.diag(box.cell_A) > 0).all()
    assert abs(np.linalg.det(box.cell_A)) == pytest.approx(abs(np.linalg.det(cell)))
    xy, xz, yz = box.cell_A[[1, 2, 2], [0, 0, 1]]
    lx, ly = np.diag(box.cell_A)[:2] * 0.5 * (1 + 1e-8)
    assert abs(xy) <= lx
    assert abs(xz) <= lx
    assert abs(yz) <= ly
    assert np.allclose(box.cell_from_lammps(box.cell_A), cell, atol=1e-10)
    assert np.linalg.det(box.rotation) == pytest.approx(1.0)
    vectors = np.random.default_rng(0).normal(size=(5, 3))
    assert np.allclose(box.from_lammps(box.to_lammps(vectors)), vectors)


def test_cells_along_the_axes_stay_as_they_are():
    cell = np.diag([6.1, 7.3, 8.7])
    box = restricted(cell)
    assert box.is_orthogonal
    assert np.array_equal(box.cell_A, cell)


def test_forces_in_a_rotated_cell_are_the_rotated_forces(case):
    _, atoms, evaluate = case
    turn = Rotation.from_euler("zyx", [80, 12, -140], degrees=True).as_matrix()
    first = evaluate(atoms.positions, atoms.cell[:])
    second = evaluate(atoms.positions @ turn, atoms.cell[:] @ turn)
    assert second.energy_eV == pytest.approx(first.energy_eV, abs=1e-8)
    assert np.allclose(second.forces_eV_A, first.forces_eV_A @ turn, atol=1e-8)
    assert np.allclose(second.virial_eV, turn.T @ first.virial_eV @ turn, atol=1e-6)
    assert np.allclose(second.shortest_A, first.shortest_A)


@pytest.mark.parametrize("combination", COMBINATIONS.values(), ids=COMBINATIONS)
def test_any_vectors_of_one_lattice_give_the_same_forces(case, combination):
    system, atoms, evaluate = case
    first = evaluate(atoms.positions, atoms.cell[:])
    second = evaluate(atoms.positions, combination @ atoms.cell[:])
    # P3M's grid follows the vectors
    accuracy = 2e-3 if "Cl" in system["species"] else 1e-8
    assert second.energy_eV == pytest.approx(first.energy_eV, abs=20 * accuracy)
    assert np.allclose(second.forces_eV_A, first.forces_eV_A, atol=accuracy)


def test_a_cube_and_its_tilted_description_agree(kcl, melt32):
    evaluate = evaluator(kcl, melt32.numbers)
    cube = evaluate(melt32.positions, melt32.cell[:])
    turned = evaluate(melt32.positions @ ROTATION, melt32.cell[:] @ ROTATION)
    assert turned.energy_eV == pytest.approx(cube.energy_eV, abs=1e-2)
    assert np.allclose(turned.forces_eV_A, cube.forces_eV_A @ ROTATION, atol=2e-3)


def protocol(ensemble: str, duration_ps: float, **changes) -> Protocol:
    settings = {"sample_ps": 0.05, "thermo_ps": 0.01, "seed": 4, "checkpoint_ps": 0.25}
    return Protocol(ensemble, (500.0, 500.0), duration_ps, 1.0, **(settings | changes))


def test_nve_conserves_the_energy_in_a_tilted_cell(case, tmp_path):
    system, atoms, _ = case
    verdict = run_md(atoms, system, potential_engine(), protocol("nve", 1.0), tmp_path)
    assert verdict["stable"], verdict["reason"]
    thermo = read_thermo(tmp_path)
    total, potential = thermo["total_energy_eV"], thermo["potential_energy_eV"]
    assert total.std() < 0.02 * potential.std()
    drift = np.polyfit(np.linspace(0, 1.0, len(total)), total, 1)[0]
    assert abs(drift) / len(atoms) < 2e-4  # eV/atom/ps


def test_the_end_of_a_run_is_in_the_frame_of_its_start(case, tmp_path):
    system, atoms, evaluate = case
    atoms.set_cell(COMBINATIONS["skewed"] @ atoms.cell[:])
    run_md(atoms, system, potential_engine(), protocol("nve", 0.02), tmp_path)
    final = ase.io.read(tmp_path / FINAL)
    assert np.allclose(final.cell[:], atoms.cell[:], atol=1e-8)
    moved = (final.positions - atoms.positions) @ np.linalg.inv(atoms.cell[:])
    moved = (moved - np.round(moved)) @ atoms.cell[:]
    assert np.abs(moved).max() < 0.5  # 20 fs
    last = read_thermo(tmp_path).iloc[-1]
    energy = evaluate(final.positions, final.cell[:]).energy_eV
    assert energy == pytest.approx(last["potential_energy_eV"], abs=2e-2)
    run_md(final, system, potential_engine(), protocol("nve", 0.02), tmp_path / "next")
    first = read_thermo(tmp_path / "next").iloc[0]
    assert first["total_energy_eV"] == pytest.approx(last["total_energy_eV"], abs=2e-2)
    # velocities too: along the old path, on average 20 fs further
    again = ase.io.read(tmp_path / "next" / FINAL)
    assert np.sum(final.get_velocities() * again.get_velocities()) > 0


def test_constant_pressure_keeps_the_shape_of_the_cell(case, tmp_path):
    system, atoms, _ = case
    run_md(atoms, system, potential_engine(), protocol("npt", 0.5, barostat_ps=0.3), tmp_path)
    final = ase.io.read(tmp_path / FINAL)
    growth = (final.cell.volume / atoms.cell.volume) ** (1 / 3)
    assert abs(growth - 1) > 1e-4
    assert np.allclose(final.cell[:], growth * atoms.cell[:], atol=1e-6)


def test_trajectories_of_tilted_cells_are_read(case, tmp_path):
    system, atoms, _ = case
    run_md(atoms, system, potential_engine(), protocol("nve", 0.5), tmp_path)
    run = read_trajectory(tmp_path / TRAJECTORY)
    box = restricted(atoms.cell[:])
    assert np.allclose(run.cells_A, box.cell_A, atol=1e-8)
    assert run.volumes_A3 == pytest.approx([atoms.cell.volume] * 11)
    scaled = run.positions_A @ np.linalg.inv(box.cell_A)
    outside_A = np.maximum(-scaled, scaled - 1).max() * run.widths_A.max()
    assert outside_A < 1.0  # LAMMPS wraps when it lists neighbours, with a skin of 2 A
    images = (run.unwrapped_A - run.positions_A) @ np.linalg.inv(box.cell_A)
    assert np.allclose(images, np.round(images), atol=1e-6)
    assert np.abs(np.diff(run.unwrapped_A, axis=0)).max() < 2.0
    off = (run.positions_A[0] - box.to_lammps(atoms.positions)) @ np.linalg.inv(box.cell_A)
    assert np.allclose(off, np.round(off), atol=1e-6)
    with pytest.raises(ValueError, match="tilted"):
        run.cell_lengths_A  # noqa: B018
    universe = to_universe(run, dt_ps=0.001)
    assert universe.dimensions[:3] == pytest.approx(np.linalg.norm(box.cell_A, axis=1), rel=1e-6)
    assert universe.trajectory.ts.volume == pytest.approx(atoms.cell.volume, rel=1e-5)


@pytest.mark.parametrize("reference", [False, True], ids=["tables", "network"])
def test_a_model_behind_lammps_sees_the_tilted_cell(reference, kcl, model_folder, tmp_path):
    atoms = tilted("kcl")
    evaluate = evaluator_of(model_folder, atoms.numbers, reference=reference)
    result = evaluate(atoms.positions, atoms.cell[:])
    lmp = open_lammps()
    box = load_atoms(lmp, atoms, kcl)
    model_engine(model_folder, LIMITS, {}, reference=reference)(lmp, list(atoms.symbols), kcl)
    lmp.command("run 0")
    assert lmp.get_thermo("pe") == pytest.approx(result.energy_eV, abs=1e-4)
    xx, yy, zz, yz, xz, xy = (
        -lmp.get_thermo(k) * BAR_EV_A3 * atoms.cell.volume
        for k in ("pxx", "pyy", "pzz", "pyz", "pxz", "pxy")
    )
    virial = box.tensor_from_lammps(np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]]))
    assert np.allclose(virial, result.virial_eV, atol=1e-3)
    lmp.close()
    run = protocol("nve", 0.3)
    engine = model_engine(model_folder, LIMITS, {}, reference=reference)
    verdict = run_md(atoms, kcl, engine, run, tmp_path)
    assert verdict["stable"], verdict["reason"]
    thermo = read_thermo(tmp_path)
    assert thermo["total_energy_eV"].std() < 0.02 * thermo["potential_energy_eV"].std()
