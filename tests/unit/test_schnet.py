"""SchNet: derivatives, agreement with schnetpack, repulsion, files, neighbour lists."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from matscipy.neighbours import neighbour_list
from samples import batch_of, numerical_force

from minset.md.session import load_atoms, open_lammps
from minset.model.neighbours import VerletList, undirected_pairs
from minset.model.repulsion import pair_energy, repulsion_of
from minset.model.schnet.architecture import (
    SIZES,
    build_model,
    hyper_of,
    load_model,
    predict,
    save_model,
)
from minset.model.schnet.evaluator import schnetpack_evaluator


@pytest.mark.parametrize("size", SIZES)
def test_forces_and_virial_are_derivatives_of_the_energy(size, melt32):
    torch.manual_seed(1)
    model = build_model(hyper_of({"size": size})).double()

    def energy(positions, cell=melt32.cell):
        atoms = melt32.copy()
        atoms.set_cell(cell)
        atoms.positions = positions
        return float(predict(model, batch_of(atoms, 6.0))["energy"].detach())

    result = predict(model, batch_of(melt32, 6.0))
    for atom, axis in ((0, 0), (20, 2)):
        expected = numerical_force(energy, melt32.positions, atom, axis, step=1e-4)
        assert float(result["forces"][atom, axis]) == pytest.approx(expected, abs=1e-6)
    h = 1e-5
    for a, b in ((0, 0), (1, 2)):
        strain = np.eye(3)
        strain[a, b] += h
        up = energy(melt32.positions @ strain, melt32.cell @ strain)
        strain[a, b] -= 2 * h
        down = energy(melt32.positions @ strain, melt32.cell @ strain)
        assert float(result["virial"][0, a, b]) == pytest.approx((up - down) / (2 * h), abs=1e-5)


def test_without_repulsion_it_is_schnetpacks_own_potential(melt32):
    import schnetpack as spk  # after minset.model.schnet.architecture, which mends it for newer torch

    torch.manual_seed(1)
    model = build_model(hyper_of({"size": "medium", "repulsion": "none"})).double()
    ours = predict(model, batch_of(melt32, 6.0))
    theirs = spk.model.NeuralNetworkPotential(
        representation=model.representation,
        input_modules=[spk.atomistic.PairwiseDistances()],
        output_modules=[model.output_modules[0], spk.atomistic.Forces()],
    )
    batch = batch_of(melt32, 6.0)
    positions = torch.as_tensor(melt32.positions)
    i, j = batch["_idx_i"], batch["_idx_j"]
    batch["_offsets"] = batch["_Rij"] - (positions[j] - positions[i])
    batch |= {"_positions": positions, "_cell": torch.as_tensor(np.array(melt32.cell))[None]}
    expected = theirs(batch)
    assert float(ours["energy"]) == pytest.approx(float(expected["energy"]), abs=1e-9)
    assert torch.allclose(ours["forces"], expected["forces"], atol=1e-9)


def test_table_1_of_the_2021_paper():
    assert [SIZES[s]["interactions"] for s in ("small", "medium", "large")] == [3, 4, 4]
    assert [SIZES[s]["features"] for s in ("small", "medium", "large")] == [32, 48, 64]
    assert [SIZES[s]["filters"] for s in ("small", "medium", "large")] == [32, 64, 128]
    model = build_model(hyper_of({"size": "large"}))
    widths = [layer.out_features for layer in model.output_modules[0].outnet]
    assert widths == [128, 128, 64, 32, 1]
    assert model.representation.cutoff == pytest.approx(6.0)
    assert hyper_of({"size": "small", "gaussians": 3})["gaussians"] == 3


def test_repulsion_is_lammps_zbl(kcl):
    """Where the smooth cutoff is one, at small distances, against pair_style zbl."""
    from ase import Atoms

    zbl = repulsion_of({"repulsion": "zbl", "cutoff_A": 6.0})
    z = torch.tensor([19]), torch.tensor([17])
    for distance in (0.6, 1.2, 2.0):
        pair = Atoms("KCl", positions=[[5, 5, 5], [5 + distance, 5, 5]], cell=[20] * 3, pbc=True)
        lmp = open_lammps()
        load_atoms(lmp, pair, kcl)
        lmp.command("pair_style zbl 9.0 9.5")
        lmp.command("pair_coeff 1 1 19 19")
        lmp.command("pair_coeff 2 2 17 17")
        lmp.command("pair_coeff 1 2 19 17")
        lmp.command("run 0")
        expected = lmp.get_thermo("pe")
        lmp.close()
        smooth = 0.5 * (1 + np.cos(np.pi * distance / 6.0))
        energy = float(pair_energy(zbl, *z, torch.tensor([distance], dtype=torch.float64)))
        # LAMMPS shifts by the energy at its own cutoff, below 1 meV here
        assert energy / smooth == pytest.approx(expected, rel=1e-3, abs=2e-3)
    assert float(pair_energy(zbl, *z, torch.tensor([6.5]))) == 0.0


def test_saved_model_is_the_same_model_and_runs_no_code(model_folder, melt32, tmp_path):
    model, description = load_model(model_folder)
    save_model(tmp_path, model, description)
    again, _ = load_model(tmp_path)
    cell = np.array(melt32.cell)
    first = schnetpack_evaluator(model, description, melt32.numbers)(melt32.positions, cell)
    second = schnetpack_evaluator(again, description, melt32.numbers)(melt32.positions, cell)
    assert first.energy_eV == second.energy_eV
    assert set(json.loads((tmp_path / "model.json").read_text())) == set(description)
    torch.load(tmp_path / "model.pt", weights_only=True)


def test_tests_and_simulations_of_a_compressed_model_need_no_schnetpack(model_folder):
    """Its import takes longer than many of these jobs."""
    script = f"""
import sys
sys.path[:0] = {[p for p in sys.path if p]!r}
import numpy as np
import minset.observe.errors, minset.md.engines
from minset.model import evaluator_of
evaluate = evaluator_of("{model_folder}", np.array([19, 17]))
evaluate(np.array([[0.0, 0, 0], [3, 0, 0]]), 8 * np.eye(3))
sys.exit(bool({{"schnetpack", "quippy"}} & set(sys.modules)))
"""
    assert subprocess.run([sys.executable, "-c", script]).returncode == 0


def test_damaged_model_says_what_to_do(model_folder, tmp_path):
    (tmp_path / "model.json").write_text((model_folder / "model.json").read_text())
    (tmp_path / "model.pt").write_bytes((model_folder / "model.pt").read_bytes()[:500])
    with pytest.raises(ValueError, match="train it again"):
        load_model(tmp_path)


def test_energy_offsets_are_added_per_atom(model_folder, melt32):
    model, description = load_model(model_folder)
    bare = description | {"energy_offsets_eV": {"19": 0.0, "17": 0.0}}
    cell = np.array(melt32.cell)
    shifted = schnetpack_evaluator(model, description, melt32.numbers)(melt32.positions, cell)
    plain = schnetpack_evaluator(model, bare, melt32.numbers)(melt32.positions, cell)
    assert shifted.energy_eV - plain.energy_eV == pytest.approx(16 * (-1.5) + 16 * (-2.5), abs=1e-6)
    assert shifted.atomic_energies_eV.sum() == pytest.approx(shifted.energy_eV)


@pytest.mark.parametrize("twice", [True, False])
def test_listed_pairs_are_the_fresh_ones_while_atoms_move_wrap_and_the_cell_breathes(twice, melt32):
    rng = np.random.default_rng(0)
    pairs = VerletList(cutoff_A=6.0, skin_A=0.6, twice=twice)
    positions, cell = melt32.positions.copy(), np.array(melt32.cell)
    rebuilt = 0
    for step in range(60):
        positions += rng.normal(0, 0.05, positions.shape)
        scale = 1 + 0.01 * np.sin(step / 5)
        now, box = positions * scale, cell * scale
        if step % 3 == 0:
            now = now % np.diag(box)  # LAMMPS hands over wrapped positions now and then
        continuous, renewed = pairs.update(now, box)
        vectors = continuous[pairs.j] - continuous[pairs.i] + pairs.shifts @ box
        distances = np.linalg.norm(vectors, axis=1)
        distances = distances[distances < 6.0]
        # matscipy as the second opinion
        fresh = neighbour_list("d", positions=now, cell=box, pbc=[1, 1, 1], cutoff=6.0)
        expected = np.sort(fresh) if twice else np.sort(fresh)[::2]
        assert len(distances) == len(expected)
        assert np.allclose(np.sort(distances), expected, atol=1e-9)
        rebuilt += renewed
    assert 1 < rebuilt < 60


def triclinic(atoms, seed: int = 0):
    """A frame in a cell without a right angle, its atoms shaken."""
    deformed = atoms.copy()
    shear = np.array([[1.1, 0.45, -0.2], [0.15, 0.95, 0.4], [-0.3, 0.1, 1.0]])
    deformed.set_cell(atoms.cell.array @ shear, scale_atoms=True)
    deformed.positions += np.random.default_rng(seed).normal(0, 0.1, atoms.positions.shape)
    return deformed


@pytest.mark.parametrize("part", [1.0, 0.35])
def test_pairs_in_triclinic_cells_are_matscipys(part, melt32):
    """Also in a cell whose faces are nearer to each other than the cutoff."""
    frame = triclinic(melt32[: int(32 * part)])
    frame.set_cell(frame.cell * part, scale_atoms=True)
    cell = np.array(frame.cell)
    i, j, vectors = undirected_pairs(frame.positions, cell, 6.0)
    expected = np.sort(neighbour_list("d", frame, 6.0))
    both = np.concatenate([np.linalg.norm(vectors, axis=1)] * 2)
    assert np.allclose(np.sort(both), expected, atol=1e-9)
    rest = (vectors - frame.positions[j] + frame.positions[i]) @ np.linalg.inv(cell)
    assert np.allclose(rest, np.round(rest), atol=1e-9)


def test_listed_pairs_of_a_triclinic_cell_are_the_fresh_ones_while_it_shears(melt32):
    rng = np.random.default_rng(1)
    pairs, rebuilt = VerletList(cutoff_A=6.0, skin_A=0.8, twice=False), 0
    frame = triclinic(melt32)
    start = np.array(frame.cell)
    for step in range(60):
        angle = 0.02 * np.sin(step / 5)
        frame.set_cell(start @ [[1, angle, 0], [0, 1 - angle, 0], [angle, 0, 1]], scale_atoms=True)
        frame.positions += rng.normal(0, 0.04, frame.positions.shape)
        if step % 3 == 0:
            frame.wrap()
        if step % 7 == 0:
            frame.positions[step % 32] += [500, -2000, 7] @ frame.cell
        cell = np.array(frame.cell)
        continuous, renewed = pairs.update(frame.positions, cell)
        vectors = continuous[pairs.j] - continuous[pairs.i] + pairs.shifts @ cell
        distances = np.linalg.norm(vectors, axis=1)
        expected = np.sort(neighbour_list("d", frame, 6.0))[::2]
        assert np.allclose(np.sort(distances[distances < 6.0]), expected, atol=1e-8)
        rebuilt += renewed
    assert 1 < rebuilt < 60


def test_undirected_pairs_are_each_pair_once_in_order(melt32):
    i, j, vectors = undirected_pairs(melt32.positions, np.array(melt32.cell), 6.0)
    assert np.all(np.diff(i) >= 0)
    both = np.concatenate([np.linalg.norm(vectors, axis=1)] * 2)
    expected = neighbour_list("ijd", melt32, 6.0)
    assert np.allclose(np.sort(both), np.sort(expected[2]))
    degree = np.bincount(i, minlength=32) + np.bincount(j, minlength=32)
    assert np.array_equal(degree, np.bincount(expected[0], minlength=32))


def test_cells_smaller_than_the_cutoff_see_their_images(model_folder):
    from ase.build import bulk

    unit = bulk("KCl", "rocksalt", a=6.3, cubic=True)
    large = unit * (2, 2, 2)
    model, description = load_model(model_folder)
    small_energy = schnetpack_evaluator(model, description, unit.numbers)(
        unit.positions, np.array(unit.cell)
    ).energy_eV
    large_energy = schnetpack_evaluator(model, description, large.numbers)(
        large.positions, np.array(large.cell)
    ).energy_eV
    assert large_energy == pytest.approx(8 * small_energy, rel=1e-6)
