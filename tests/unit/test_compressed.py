"""Compressed SchNet: the same potential as the network, everywhere, or not exported."""

import numpy as np
import pytest
import torch
from ase.build import bulk
from samples import numerical_force

from minset.evaluation import Unusable
from minset.model.repulsion import pair_energy, repulsion_of, repulsion_table
from minset.model.schnet.architecture import SIZES, build_model, hyper_of, load_model
from minset.model.schnet.compress import ENERGY_TARGET_EV_ATOM, FORCE_TARGET_EV_A, compress
from minset.model.schnet.compressed import load_compressed, save_compressed, tabulate
from minset.model.schnet.evaluator import compressed_evaluator, schnetpack_evaluator
from minset.model.schnet.tables import filter_table, hermite_weights
from minset.model.schnet.tabulated import weights_of

OFFSETS = {"energy_offsets_eV": {"17": -2.5, "19": -1.5}}


# of a floor that is felt in the melt
FLOOR = {"floor_A": {"Cl-Cl": 3.8, "K-Cl": 3.0, "K-K": 4.0}}


def model_of(size: str = "small", seed: int = 1, **changes):
    hyper = hyper_of({"size": size, **changes}) | FLOOR
    torch.manual_seed(seed)
    model = build_model(hyper).eval().requires_grad_(False)
    for weight in model.parameters():
        weight *= 1.2  # an untrained network is almost flat
    return model, {"hyper": hyper} | OFFSETS


def interpolate(table, distance, segments):
    segment, weights, slopes = hermite_weights(distance, 6.0, segments)
    knots = torch.cat([table[segment], table[segment + 1]], dim=1)
    return (weights[..., None] * knots).sum(1), (slopes[..., None] * knots).sum(1)


@pytest.mark.parametrize("size", SIZES)
def test_tables_are_the_filters_and_their_derivatives(size):
    model, _ = model_of(size)
    representation = model.double().representation
    distance = torch.linspace(0.003, 6.0, 1999, dtype=torch.float64).requires_grad_()
    for layer, interaction in enumerate(representation.interactions):
        network = interaction.filter_network(representation.radial_basis(distance))
        network = network * representation.cutoff_fn(distance)[:, None]
        (slope,) = torch.autograd.grad(network[:, 7].sum(), distance)
        values, slopes = interpolate(
            filter_table(representation, layer, 1024), distance.detach(), 1024
        )
        scale = float(network.abs().max())
        assert torch.allclose(values, network, atol=1e-7 * scale)
        assert torch.allclose(slopes[:, 7], slope, atol=1e-5 * float(slope.abs().max()))


def test_interpolation_error_falls_with_the_fourth_power_of_the_spacing():
    model, _ = model_of()
    representation = model.double().representation
    distance = torch.linspace(0.5, 5.5, 777, dtype=torch.float64)
    exact = interpolate(filter_table(representation, 0, 8192), distance, 8192)[0]
    errors = [
        (interpolate(filter_table(representation, 0, k), distance, k)[0] - exact).abs().max()
        for k in (128, 256, 512)
    ]
    assert errors[0] / errors[1] == pytest.approx(16, rel=0.3)
    assert errors[1] / errors[2] == pytest.approx(16, rel=0.3)


@pytest.mark.parametrize("kind", ["zbl", "floor"])
def test_repulsion_is_tabulated_down_to_overlapping_nuclei(kind):
    repulsion = repulsion_of({"repulsion": kind, "cutoff_A": 6.0} | FLOOR)
    table = torch.from_numpy(repulsion_table(repulsion, 17, 19, 6.0, 1024))[:, :, None]
    distance = torch.tensor([1e-4, 0.02, 0.3, 1.0, 2.5, 5.9], dtype=torch.float64)
    value = interpolate(table, distance, 1024)[0][:, 0] / distance
    z = [torch.full((6,), n) for n in (17, 19)]
    assert torch.allclose(value, pair_energy(repulsion, *z, distance), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("repulsion", ["zbl", "floor", "none"])
@pytest.mark.parametrize("size", SIZES)
def test_it_is_the_network_in_liquid_compressed_and_sheared_cells(size, repulsion, melt32):
    model, description = model_of(size, repulsion=repulsion)
    compressed = tabulate(model, description, 1024)
    evaluate = compressed_evaluator(compressed, melt32.numbers)
    reference = schnetpack_evaluator(model.double(), description, melt32.numbers)
    shear = np.array([[1, 0.2, 0], [0, 1, -0.1], [0.15, 0, 1]])
    for deform in (np.eye(3), 0.8 * np.eye(3), 1.6 * np.eye(3), shear):
        positions, cell = melt32.positions @ deform, np.array(melt32.cell) @ deform
        ours, exact = evaluate(positions, cell), reference(positions, cell)
        scale = max(1.0, np.abs(exact.forces_eV_A).max() / 10)
        assert np.abs(ours.forces_eV_A - exact.forces_eV_A).max() < FORCE_TARGET_EV_A * scale
        difference = np.abs(ours.atomic_energies_eV - exact.atomic_energies_eV).max()
        assert difference < ENERGY_TARGET_EV_ATOM * scale
        assert ours.energy_eV == pytest.approx(ours.atomic_energies_eV.sum(), abs=1e-9)
        assert np.allclose(ours.virial_eV, exact.virial_eV, rtol=1e-4, atol=1e-2 * scale)
        assert np.allclose(ours.shortest_A, exact.shortest_A, atol=1e-12)


def test_in_a_triclinic_cell_it_is_schnetpacks_own_pipeline(melt32):
    """Energy, forces and stress by ASE's neighbour list and schnetpack's strain, in double."""
    import schnetpack as spk

    model, description = model_of(repulsion="none")
    frame = melt32.copy()
    shear = np.array([[1.05, 0.4, -0.2], [0.1, 0.95, 0.3], [-0.3, 0.1, 1.0]])
    frame.set_cell(frame.cell.array @ shear, scale_atoms=True)
    ours = compressed_evaluator(tabulate(model, description, 1024), frame.numbers)(
        frame.positions, np.array(frame.cell)
    )
    network = spk.model.NeuralNetworkPotential(
        representation=model.double().representation,
        input_modules=[spk.atomistic.Strain(), spk.atomistic.PairwiseDistances()],
        output_modules=[model.output_modules[0], spk.atomistic.Forces(calc_stress=True)],
    )
    neighbours = spk.transform.ASENeighborList(cutoff=6.0)
    batch = spk.interfaces.AtomsConverter(neighbours, dtype=torch.float64)(frame)
    theirs = network(batch)
    offsets = sum(OFFSETS["energy_offsets_eV"][str(z)] for z in frame.numbers)
    assert ours.energy_eV == pytest.approx(float(theirs["energy"].detach()) + offsets, abs=3e-4)
    forces = theirs["forces"].detach().numpy()
    assert np.abs(ours.forces_eV_A - forces).max() < FORCE_TARGET_EV_A
    stress = theirs["stress"].detach().numpy().reshape(3, 3)
    assert np.abs(stress).max() > 1e-3
    assert np.allclose(ours.virial_eV / frame.cell.volume, stress, atol=2e-6)


def test_the_virial_in_a_triclinic_cell_is_a_strain_derivative(melt32):
    model, description = model_of()
    evaluate = compressed_evaluator(tabulate(model, description, 1024), melt32.numbers)
    shear = np.array([[1.05, 0.4, -0.2], [0.1, 0.95, 0.3], [-0.3, 0.1, 1.0]])
    positions, cell = melt32.positions @ shear, np.array(melt32.cell) @ shear
    virial = evaluate(positions, cell).virial_eV

    def slope(a, b, h):
        energies = []
        for sign in (1, -1):
            strain = np.eye(3)
            strain[a, b] += sign * h
            energies.append(evaluate(positions @ strain, cell @ strain).energy_eV)
        return (energies[0] - energies[1]) / (2 * h)

    for a, b in ((0, 0), (1, 1), (2, 2), (0, 1), (1, 2), (2, 0)):
        # as for the forces: wide steps for float32, two of them for the curvature
        expected = (4 * slope(a, b, 1e-3) - slope(a, b, 2e-3)) / 3
        assert virial[a, b] == pytest.approx(expected, abs=2e-2, rel=1e-3)


def test_overlapping_ions_feel_the_network_not_an_extrapolation(melt32):
    model, description = model_of()
    evaluate = compressed_evaluator(tabulate(model, description, 1024), melt32.numbers)
    reference = schnetpack_evaluator(model.double(), description, melt32.numbers)
    positions, cell = melt32.positions.copy(), np.array(melt32.cell)
    for distance in (1.0, 0.1, 0.003):
        positions[5] = positions[9] + [distance, 0, 0]
        ours, exact = evaluate(positions, cell), reference(positions, cell)
        assert ours.energy_eV == pytest.approx(exact.energy_eV, rel=1e-6)
        assert np.allclose(ours.forces_eV_A[5], exact.forces_eV_A[5], rtol=1e-5, atol=1e-3)
    positions[5] = positions[9]
    with pytest.raises(Unusable, match="two atoms are at the same place"):
        evaluate(positions, cell)


def test_forces_are_numerical_derivatives(melt32):
    model, description = model_of("medium")
    evaluate = compressed_evaluator(tabulate(model, description, 1024), melt32.numbers)
    cell = np.array(melt32.cell)
    forces = evaluate(melt32.positions, cell).forces_eV_A
    for atom, axis in ((0, 0), (7, 1), (20, 2)):
        # wide steps for the rounding of float32, two of them for the curvature (Richardson)
        near, far = (
            numerical_force(
                lambda x: evaluate(x, cell).energy_eV, melt32.positions, atom, axis, step
            )
            for step in (0.01, 0.02)
        )
        assert forces[atom, axis] == pytest.approx((4 * near - far) / 3, abs=1e-3)


def test_cells_smaller_than_the_cutoff_see_their_images():
    model, description = model_of()
    compressed = tabulate(model, description, 1024)
    unit = bulk("KCl", "rocksalt", a=6.3)  # two atoms, 4.5 A apart from their own images
    large = unit * (4, 4, 4)
    small, big = (
        compressed_evaluator(compressed, a.numbers)(a.positions, np.array(a.cell))
        for a in (unit, large)
    )
    assert big.energy_eV == pytest.approx(64 * small.energy_eV, abs=1e-4)
    assert np.allclose(big.virial_eV, 64 * small.virial_eV, atol=1e-2)


def test_threads_and_the_order_of_calls_do_not_change_the_forces(melt32):
    model, description = model_of("medium")
    compressed = tabulate(model, description, 1024)
    big = melt32 * (2, 2, 2)
    cell = np.array(big.cell)
    one = compressed_evaluator(compressed, big.numbers, threads=1)
    two = compressed_evaluator(compressed, big.numbers, threads=2)
    rng = np.random.default_rng(0)
    positions = big.positions.copy()
    for step in range(12):
        positions += rng.normal(0, 0.15, positions.shape)
        now = positions % np.diag(cell) if step % 2 else positions
        fresh = compressed_evaluator(compressed, big.numbers)(now, cell)
        for evaluate in (one, two):
            result = evaluate(now, cell)
            assert np.allclose(result.forces_eV_A, fresh.forces_eV_A, atol=1e-4)
            assert result.energy_eV == pytest.approx(fresh.energy_eV, abs=1e-3)


def test_atoms_without_neighbours_have_their_own_energy(melt32):
    model, description = model_of()
    evaluate = compressed_evaluator(tabulate(model, description, 1024), melt32.numbers[:2])
    result = evaluate(np.array([[0.0, 0, 0], [15.0, 15, 15]]), 30 * np.eye(3))
    assert np.all(result.forces_eV_A == 0)
    assert np.all(np.isinf(result.shortest_A))


def test_export_checks_chooses_and_refuses(model_folder, melt32, tmp_path):
    model, description = load_model(model_folder)
    path = tmp_path / "compressed.npz"
    table = compress(model, description, [melt32], path)
    assert table["target_share"].iloc[-1] <= 1
    assert load_compressed(path).segments == table["segments"].iloc[-1]
    path.unlink()
    finer = compress(model, description, [melt32], path, resolutions=(8, 16, 1024))
    assert finer["segments"].tolist() == [8, 16, 1024]
    assert finer["target_share"].iloc[0] > 1
    path.unlink()
    with pytest.raises(ValueError, match=r"misses its error target .* with 16 segments") as refused:
        compress(model, description, [melt32], path, resolutions=(8, 16))
    needed = int(str(refused.value).split("about ")[1].split()[0])
    assert 16 < needed <= 1024
    with pytest.raises(
        ValueError, match=r"float32 is the limit: train it with a lower training.learning_rate"
    ):
        compress(model, description, [melt32], path, force_target_eV_A=1e-12)
    model.representation.embedding.weight[17, 0] = np.nan
    with pytest.raises(ValueError, match="misses its error target nan times"):
        compress(model, description, [melt32], path)
    assert not path.exists()


def test_files_hold_arrays_only_and_damage_is_named(model_folder, tmp_path, melt32):
    compressed = load_compressed(model_folder / "compressed.npz")
    save_compressed(tmp_path / "copy.npz", compressed)
    again = load_compressed(tmp_path / "copy.npz")
    cell = np.array(melt32.cell)
    energies = [
        compressed_evaluator(c, melt32.numbers)(melt32.positions, cell).energy_eV
        for c in (compressed, again)
    ]
    assert energies[0] == energies[1]
    damaged = tmp_path / "damaged.npz"
    damaged.write_bytes((tmp_path / "copy.npz").read_bytes()[:3000])
    with pytest.raises(ValueError, match="remove its folder and train it again"):
        load_compressed(damaged)


def test_weights_in_training_are_those_of_the_export():
    model, description = model_of("medium")
    compressed, weights = tabulate(model, description, 64), weights_of(model, 64)
    for name in ("in2f", "out1", "bias1", "out2", "bias2"):
        for ours, theirs in zip(getattr(weights.layers, name), getattr(compressed.layers, name)):  # noqa: B905
            assert np.array_equal(ours.numpy(), theirs)
    for ours, theirs in zip(weights.layers.tables, compressed.layers.tables, strict=True):
        assert np.allclose(ours.numpy(), theirs, atol=1e-5)
