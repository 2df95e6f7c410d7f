"""Force calls of a compressed model on a graphics processor, everything there between rebuilds.

Between two rebuilds of the neighbour list only positions and cell travel to the device, and energies,
forces and virial back. The whole call is one CUDA graph, captured when the buffers are made. On the
processor the same code runs without a graph, which is how it is tested where there is no GPU.
"""

import numpy as np
import torch

from minset.evaluation import Evaluation, Evaluator, require_apart, require_known
from minset.model.neighbours import VerletList
from minset.model.schnet.compressed import Compressed
from minset.model.schnet.tables import hermite_weights
from minset.model.schnet.tabulated import Pairs, tabulated_energy, weights_on


def device_evaluator(
    compressed: Compressed, numbers: np.ndarray, device: torch.device, skin_A: float = 1.5
) -> Evaluator:
    """Force calls of a compressed model on a torch device.

    Parameters
    ----------
    compressed
        From ``minset.model.schnet.compressed.load_compressed``.
    numbers
        Atomic numbers, shape (n,).
    device
        ``cuda``, or ``cpu`` for tests.
    skin_A
        Of the neighbour list.

    Returns
    -------
    callable
        As of ``compressed_evaluator``. Sums on a GPU are not in a fixed order:
        two equal calls differ in the last digits.

    Raises
    ------
    ValueError
        If the model does not know an element.
    """
    require_known(numbers, compressed.numbers)
    species = np.searchsorted(compressed.numbers, numbers)
    present = np.unique(species)
    pairs = VerletList(compressed.cutoff_A, skin_A, twice=False)
    buffers: dict[str, torch.Tensor] = {}
    compute = _force_call(compressed, species, device)
    replay = None

    def evaluate(positions: np.ndarray, cell: np.ndarray) -> Evaluation:
        nonlocal replay
        continuous, renewed = pairs.update(positions, cell)
        if renewed and len(pairs.i) > len(buffers.get("i", ())):
            # room for the longer lists to come; a captured graph has fixed addresses and sizes
            buffers.update(_buffers(len(numbers), len(pairs.i) + len(pairs.i) // 8, device))
            replay = None
        if renewed:
            _fill(buffers, pairs)
        buffers["positions"].copy_(torch.from_numpy(continuous))
        buffers["cell"].copy_(torch.from_numpy(cell))
        if replay is None:
            replay = _captured(compute, buffers) if device.type == "cuda" else compute
        result = {name: t.cpu().numpy() for name, t in replay(buffers).items()}
        require_apart(result["shortest"])
        shortest = result["shortest"][np.ix_(present, present)]
        atomic = result["energies"] + compressed.offsets_eV[species]
        return Evaluation(
            energy_eV=float(atomic.sum()),
            atomic_energies_eV=atomic,
            forces_eV_A=result["forces"],
            virial_eV=0.5 * (result["virial"] + result["virial"].T),
            shortest_A=np.minimum(shortest, shortest.T),
        )

    return evaluate


def _buffers(n: int, size: int, device: torch.device) -> dict[str, torch.Tensor]:
    exact = {"dtype": torch.float64, "device": device}
    return {
        "positions": torch.zeros(n, 3, **exact),
        "cell": torch.zeros(3, 3, **exact),
        "shifts": torch.zeros(size, 3, **exact),
        "i": torch.zeros(size, dtype=torch.long, device=device),
        "j": torch.zeros(size, dtype=torch.long, device=device),
    }


def _fill(buffers: dict, pairs: VerletList) -> None:
    """Copy the list; what is left of the buffers are pairs of atom 0 with an image far away."""
    count = len(pairs.i)
    for name in ("i", "j", "shifts"):
        values = torch.from_numpy(getattr(pairs, name).astype(np.int64))
        buffers[name][:count].copy_(values)
    buffers["i"][count:] = buffers["j"][count:] = 0
    buffers["shifts"][count:] = 1000.0


def _force_call(compressed: Compressed, species: np.ndarray, device: torch.device):
    """Function of the buffers that gives energies, forces, virial and shortest distances."""
    weights = weights_on(device, compressed)
    cutoff, segments, n_species = compressed.cutoff_A, compressed.segments, len(compressed.numbers)
    kinds = torch.from_numpy(species).to(device)
    repulsion = torch.from_numpy(compressed.repulsion).to(device)

    def compute(buffers: dict) -> dict:
        i, j = buffers["i"], buffers["j"]
        x = buffers["positions"]
        vector = x[j] - x[i] + buffers["shifts"] @ buffers["cell"]
        distance = vector.norm(dim=1)
        inside = (distance < cutoff).to(x.dtype)
        # tables end in 0 with slope 0 at the cutoff: what is beyond it is taken there
        placed = hermite_weights(distance.clamp(max=cutoff), cutoff, segments)
        segment, w, s = placed[0], *(t * inside[:, None] for t in placed[1:])
        energies, slopes = tabulated_energy(
            weights, kinds, Pairs(i, j, segment, w.float(), s.float())
        )
        energies, slopes = energies.double(), slopes.double()
        if repulsion.shape[2]:
            ends = [repulsion[kinds[i], kinds[j], segment + k] for k in (0, 1)]
            knots = torch.cat(ends, dim=1)
            pair_energy = (w * knots).sum(dim=1) / distance
            slopes = slopes + ((s * knots).sum(dim=1) - pair_energy) / distance
            energies = energies.index_add(0, i, 0.5 * pair_energy).index_add(
                0, j, 0.5 * pair_energy
            )
        gradient = (slopes / distance)[:, None] * vector
        nearest = torch.full((n_species**2,), torch.inf, dtype=x.dtype, device=device)
        far = torch.where(inside > 0, distance, torch.inf)
        shortest = nearest.scatter_reduce(0, kinds[i] * n_species + kinds[j], far, "amin")
        return {
            "energies": energies,
            "forces": torch.zeros_like(x).index_add(0, i, gradient).index_add(0, j, -gradient),
            "virial": vector.T @ gradient,
            "shortest": shortest.reshape(n_species, n_species),
        }

    return torch.no_grad()(compute)


def _captured(compute, buffers: dict):
    """The computation as a CUDA graph on these buffers."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):  # memory pools and kernels must be ready before a capture
            compute(buffers)
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        results = compute(buffers)

    def replay(_: dict) -> dict:
        graph.replay()
        return results

    return replay
