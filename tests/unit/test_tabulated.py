"""Tabulated SchNet in torch: training gradients, and what runs on graphics processors."""

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator
from samples import batch_of

from minset.model.offsets import energy_offsets
from minset.model.repulsion import repulsion_on
from minset.model.schnet.architecture import SIZES, build_model, hyper_of, predict
from minset.model.schnet.batches import Batches
from minset.model.schnet.compressed import load_compressed, tabulate
from minset.model.schnet.device import device_evaluator
from minset.model.schnet.evaluator import compressed_evaluator
from minset.model.schnet.tabulated import Pairs, tabulated_predict
from minset.model.schnet.train import SEGMENTS

CPU = torch.device("cpu")


def loss_of(result: dict, batch: dict) -> torch.Tensor:
    """Energies, forces and stresses in one number, as in training."""
    stress = result["virial"] / batch["volume"][:, None, None] - batch["stress"]
    energy = (result["energy"] - batch["energy"]).square().mean()
    return energy + (result["forces"] - batch["forces"]).square().mean() + stress.square().mean()


def gradient_of(model) -> torch.Tensor:
    parts = [p.grad.flatten().double() for p in model.parameters() if p.grad is not None]
    return torch.cat(parts)


@pytest.fixture(scope="module")
def frames(small_pool):
    return small_pool[1][:6:2]


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("repulsion", ["zbl", "none"])
@pytest.mark.parametrize("size", SIZES)
def test_loss_and_gradients_are_those_of_the_network(size, repulsion, compiled, frames):
    """Against schnetpack's layers in double precision and autograd's double backward pass."""
    hyper = hyper_of({"size": size, "repulsion": repulsion})
    torch.manual_seed(2)
    model = build_model(hyper)
    offsets = energy_offsets(frames)
    batch = Batches(frames, offsets, hyper, SEGMENTS, False, CPU).of(np.arange(3))
    if not compiled:
        p = batch["pairs"]
        batch["pairs"] = Pairs(p.i, p.j, p.segment, p.weights, p.slopes)
    loss = loss_of(tabulated_predict(model, SEGMENTS, batch), batch)
    loss.backward()
    ours = gradient_of(model)

    exact = build_model(hyper).double()
    exact.load_state_dict(model.state_dict())
    total, labels = 0.0, {k: [] for k in ("energy", "forces", "virial")}
    for frame in frames:
        result = predict(exact, batch_of(frame, 6.0), create_graph=True)
        for key, values in labels.items():
            values.append(result[key])
    result = {k: torch.cat(v) for k, v in labels.items()}
    energies = [f.get_potential_energy() - sum(offsets[int(z)] for z in f.numbers) for f in frames]
    truth = {
        "energy": torch.tensor(energies, dtype=torch.float64),
        "forces": torch.as_tensor(np.concatenate([f.get_forces() for f in frames])),
        "stress": torch.zeros(3, 3, 3, dtype=torch.float64),
        "volume": torch.tensor([f.cell.volume for f in frames], dtype=torch.float64),
    }
    total = loss_of(result, truth)
    total.backward()
    theirs = gradient_of(exact)
    assert float(loss.detach()) == pytest.approx(float(total.detach()), rel=1e-5)
    assert float((ours - theirs).norm() / theirs.norm()) < 1e-4


def test_a_batch_of_several_compositions_and_cells_is_its_frames_alone(melt32):
    """Frames of another size, order, species and cell; the batch's numbers are those of each alone."""
    rng = np.random.default_rng(4)

    def frame(atoms, deform):
        atoms.set_cell(atoms.cell.array @ deform, scale_atoms=True)
        atoms.positions += rng.normal(0, 0.1, atoms.positions.shape)
        results = {"energy": rng.normal(), "forces": rng.normal(size=(len(atoms), 3))}
        atoms.calc = SinglePointCalculator(atoms, **results, stress=rng.normal(size=6))
        return atoms

    shear = np.array([[1, 0.3, 0], [0, 1, -0.2], [0.1, 0, 1.1]])
    alone = Atoms("Na", positions=[[1, 1, 1]], cell=[20] * 3, pbc=True)  # no pair at all
    frames = [
        frame(melt32.copy(), np.eye(3)),
        frame(bulk("NaCl", "rocksalt", a=5.6) * (2, 1, 2), shear),
        frame(alone, np.eye(3)),
        frame(melt32[np.r_[20:32, 0:15]], shear),
    ]
    offsets, hyper = {11: -1.0, 17: -2.0, 19: -3.0}, hyper_of({"size": "small"})
    torch.manual_seed(2)
    model = build_model(hyper)
    batches = Batches(frames, offsets, hyper, SEGMENTS, True, CPU)
    batch = batches.of(np.array([2, 0, 3, 1]))
    together = tabulated_predict(model, SEGMENTS, batch)
    begin = 0
    for place, number in enumerate([2, 0, 3, 1]):
        one, n = batches.of(np.array([number])), len(frames[number])
        single = tabulated_predict(model, SEGMENTS, one)
        assert torch.allclose(together["energy"][place], single["energy"][0], atol=1e-5)
        assert torch.allclose(together["virial"][place], single["virial"][0], atol=1e-5)
        atoms = slice(begin, begin + n)
        assert torch.allclose(together["forces"][atoms], single["forces"], atol=1e-6)
        assert torch.equal(batch["forces"][atoms], one["forces"])
        assert torch.equal(batch["numbers"][atoms], torch.as_tensor(frames[number].numbers))
        for key in ("energy", "stress", "volume", "atoms"):
            assert torch.equal(batch[key][place], one[key][0])
        begin += n
    assert begin == len(batch["numbers"])


def test_repulsion_taken_off_the_labels_is_the_one_in_the_model(melt32):
    from minset.model.neighbours import undirected_pairs

    hyper = hyper_of({"size": "small"})
    model = build_model(hyper).double()
    with_it = predict(model, batch_of(melt32, 6.0))
    zbl, model.repulsion = model.repulsion, None
    without = predict(model, batch_of(melt32, 6.0))
    pairs = undirected_pairs(melt32.positions, np.array(melt32.cell), 6.0)
    energies, forces, virial = repulsion_on(zbl, melt32.numbers, *pairs)
    assert energies.sum() == pytest.approx(float((with_it["energy"] - without["energy"]).detach()))
    assert np.allclose(forces, with_it["forces"] - without["forces"], atol=1e-9)
    assert np.allclose(virial, with_it["virial"][0] - without["virial"][0], atol=1e-8)


@pytest.mark.parametrize("repulsion", ["zbl", "floor", "none"])
def test_the_code_for_graphics_processors_gives_the_same_forces(repulsion, melt32):
    """The code itself, run without a graph on the processor."""
    hyper = hyper_of({"size": "medium", "repulsion": repulsion})
    hyper |= {"floor_A": {"Cl-Cl": 3.8, "K-Cl": 3.0, "K-K": 4.0}}  # felt in this cell
    torch.manual_seed(3)
    description = {"hyper": hyper, "energy_offsets_eV": {"17": -2.5, "19": -1.5}}
    compressed = tabulate(build_model(hyper), description, 1024)
    ours = device_evaluator(compressed, melt32.numbers, CPU)
    reference = compressed_evaluator(compressed, melt32.numbers)
    rng = np.random.default_rng(0)
    positions, cell = melt32.positions.copy(), np.array(melt32.cell)
    for step in range(8):
        positions += rng.normal(0, 0.2, positions.shape)
        box = cell * (1 - 0.01 * step)
        now = positions % np.diag(box) if step % 2 else positions
        a, b = ours(now, box), reference(now, box)
        assert np.allclose(a.forces_eV_A, b.forces_eV_A, atol=2e-5, rtol=1e-5)
        assert np.allclose(a.atomic_energies_eV, b.atomic_energies_eV, atol=1e-5)
        assert np.allclose(a.virial_eV, b.virial_eV, atol=1e-3, rtol=1e-5)
        assert np.allclose(a.shortest_A, b.shortest_A)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU: CUDA graphs were not tested")
def test_a_captured_graph_gives_the_same_forces(model_folder, melt32):
    compressed = load_compressed(model_folder / "compressed.npz")
    ours = device_evaluator(compressed, melt32.numbers, torch.device("cuda"))
    reference = compressed_evaluator(compressed, melt32.numbers)
    rng = np.random.default_rng(0)
    positions, cell = melt32.positions.copy(), np.array(melt32.cell)
    for _ in range(20):
        positions += rng.normal(0, 0.2, positions.shape)
        a, b = ours(positions, cell), reference(positions, cell)
        assert np.allclose(a.forces_eV_A, b.forces_eV_A, atol=1e-4, rtol=1e-4)
        assert a.energy_eV == pytest.approx(b.energy_eV, abs=1e-3)
