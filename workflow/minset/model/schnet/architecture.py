"""SchNet (Schuett et al., J. Chem. Phys. 148, 241722, 2018) through schnetpack, and its files.

A model on disk is ``model.pt`` (a state dict, loaded with ``weights_only``) and ``model.json``
(hyper-parameters, energy offsets, units, provenance). Nothing in either can run code.
"""

import json
import math
from pathlib import Path
from typing import TypeVar

import torch
import torch.utils.data.dataloader

from minset.files import read_torch, write_json, write_torch
from minset.model.record import DESCRIPTION
from minset.model.repulsion import pair_energy, repulsion_of, require_sane
from minset.model.schnet import WEIGHTS

# schnetpack 2.1.1 imports this name, which newer torch no longer has there.
if not hasattr(torch.utils.data.dataloader, "T_co"):
    torch.utils.data.dataloader.T_co = TypeVar("T_co", covariant=True)

# "Efficient data selection methods" (2021), Table 1. Its small model has 3 Gaussians, which spans
# 6 A with a spacing of 3 A; we read it as a slip for 32 (set `gaussians: 3` for the printed value).
SIZES = {
    "small": {
        "interactions": 3,
        "features": 32,
        "filters": 32,
        "gaussians": 32,
        "hidden": [48, 48],
    },
    "medium": {
        "interactions": 4,
        "features": 48,
        "filters": 64,
        "gaussians": 48,
        "hidden": [128, 64, 32],
    },
    "large": {
        "interactions": 4,
        "features": 64,
        "filters": 128,
        "gaussians": 64,
        "hidden": [128, 128, 64, 32],
    },
}

_BLOCKS = "representation.interactions"  # among the names of the weights


def hyper_of(settings: dict) -> dict:
    """Hyper-parameters of a size of ``SIZES``, with what the settings change of them."""
    overrides = {k: settings[k] for k in ("gaussians", "cutoff_A", "repulsion") if k in settings}
    return {"cutoff_A": 6.0, "repulsion": "zbl"} | SIZES[settings["size"]] | overrides


def build_representation(hyper: dict) -> torch.nn.Module:
    """Untrained SchNet representation: per-atom features from species and distances.

    Parameters
    ----------
    hyper
        ``interactions``, ``features``, ``filters``, ``gaussians`` and ``cutoff_A``.
    """
    # here and not above: it takes seconds, with Lightning and all, and jobs without a network need none
    import schnetpack as spk

    return spk.representation.SchNet(
        n_atom_basis=hyper["features"],
        n_interactions=hyper["interactions"],
        n_filters=hyper["filters"],
        radial_basis=spk.nn.GaussianRBF(n_rbf=hyper["gaussians"], cutoff=hyper["cutoff_A"]),
        cutoff_fn=spk.nn.CosineCutoff(hyper["cutoff_A"]),
    )


def build_model(hyper: dict) -> torch.nn.Module:
    """SchNet potential: representation, then an output network summed over atoms.

    Its energies are relative to the offsets in ``model.json``; forces and stress come from
    ``predict``. Weights are drawn from torch's global generator: seed it before.
    """
    import schnetpack as spk

    readout = spk.atomistic.Atomwise(
        n_in=hyper["features"],
        n_hidden=hyper["hidden"],
        n_layers=len(hyper["hidden"]) + 1,
        output_key="energy",
        per_atom_output_key="energy_per_atom",
    )
    model = spk.model.NeuralNetworkPotential(
        representation=build_representation(hyper),
        input_modules=[],
        output_modules=[readout],
    )
    model.repulsion = repulsion_of(hyper)
    return model


def predict(model: torch.nn.Module, batch: dict, create_graph: bool = False) -> dict:
    """Energies, forces and virials of a batch of structures.

    Parameters
    ----------
    model
        From ``build_model``.
    batch
        ``_atomic_numbers`` (n,), ``_idx_i``, ``_idx_j`` (e,), ``_idx_m`` (n,) and ``_Rij`` (e, 3)
        with r_ij = r_j - r_i in A, ``_n_atoms`` (m,).
    create_graph
        Keep the graph of the forces, so that they can be differentiated.

    Returns
    -------
    dict
        ``energy`` (m,) in eV without offsets, ``energy_per_atom`` (n,), ``forces`` (n, 3) in eV/A and
        ``virial`` (m, 3, 3) in eV: sum over pairs of r_ij (x) dE/dr_ij, the derivative of the
        energy with respect to a homogeneous strain.
    """
    r_ij = batch["_Rij"].detach().requires_grad_()
    inputs = dict(batch, _Rij=r_ij)
    inputs = model.representation(inputs)
    inputs = model.output_modules[0](inputs)
    energy, atomic = inputs["energy"], inputs["energy_per_atom"].reshape(-1)
    if model.repulsion:
        z = batch["_atomic_numbers"]
        i, j = batch["_idx_i"], batch["_idx_j"]
        # each pair is listed from both ends: half to each atom
        pairs = 0.5 * pair_energy(model.repulsion, z[i], z[j], r_ij.norm(dim=1))
        repulsion = torch.zeros_like(atomic).index_add(0, i, pairs)
        atomic = atomic + repulsion
        energy = energy.index_add(0, batch["_idx_m"], repulsion)
    (gradient,) = torch.autograd.grad(energy.sum(), r_ij, create_graph=create_graph)
    n_atoms = len(batch["_atomic_numbers"])
    # dE/dr_i = -sum_j g_ij + sum_j g_ji: a pair's vector ends at j and starts at i
    forces = torch.zeros(n_atoms, 3, dtype=gradient.dtype, device=gradient.device)
    forces = forces.index_add(0, batch["_idx_i"], gradient)
    forces = forces.index_add(0, batch["_idx_j"], -gradient)
    outer = batch["_Rij"][:, :, None] * gradient[:, None, :]
    virial = torch.zeros(len(energy), 3, 3, dtype=gradient.dtype, device=gradient.device)
    virial = virial.index_add(0, batch["_idx_m"][batch["_idx_i"]], outer)
    return {
        "energy": energy,
        "energy_per_atom": atomic,
        "forces": forces,
        "virial": virial,
    }


def save_model(folder: Path, model: torch.nn.Module, description: dict) -> None:
    """Write ``model.pt`` and then ``model.json``; each replaces its predecessor in one step."""
    write_torch(Path(folder) / WEIGHTS, model.state_dict())
    write_json(Path(folder) / DESCRIPTION, {"kind": "schnet"} | description)


def load_model(folder: Path) -> tuple[torch.nn.Module, dict]:
    """Read a saved model.

    Returns
    -------
    model, description
        The potential in evaluation mode and the content of ``model.json``.

    Raises
    ------
    ValueError
        If the weights do not fit the hyper-parameters or a file is damaged.
    """
    folder = Path(folder)
    try:
        description = json.loads((folder / DESCRIPTION).read_text())
        weights = read_torch(folder / WEIGHTS)
        _require_sane(description, weights)
        model = build_model(description["hyper"])
        model.load_state_dict(weights)
    except Exception as error:  # a file of unknown content has many ways to be wrong
        raise ValueError(
            f"the model in {folder} cannot be read ({error}); remove the folder and train it again"
        ) from error
    return model.eval().requires_grad_(False), description


def _require_sane(description: dict, weights: dict) -> None:
    """Raise unless hyper-parameters, offsets and weights are finite and of the same network."""
    hyper, offsets = description["hyper"], description["energy_offsets_eV"]
    sizes = [hyper[k] for k in ("interactions", "features", "filters", "gaussians")]
    if not all(type(n) is int and 1 <= n <= 1000 for n in [*sizes, *hyper["hidden"]]):
        raise ValueError("hyper-parameters are out of range")
    if not 0 < hyper["cutoff_A"] < 100:
        raise ValueError("the cutoff is out of range")
    if not all(0 < int(z) <= 100 and math.isfinite(value) for z, value in offsets.items()):
        raise ValueError("energy offsets are out of range")
    require_sane(hyper, map(int, offsets))
    # before the network is built: a wrong size could ask for more memory than there is
    blocks = {name.split(".")[2] for name in weights if name.startswith(f"{_BLOCKS}.")}
    first, hidden = weights[f"{_BLOCKS}.0.filter_network.0.weight"], range(len(hyper["hidden"]))
    given = [len(blocks), weights[f"{_BLOCKS}.0.in2f.weight"].shape[1], *first.shape]
    given += [weights[f"output_modules.0.outnet.{k}.weight"].shape[0] for k in hidden]
    if given != [*sizes, *hyper["hidden"]]:
        raise ValueError("the weights do not fit the hyper-parameters")
    if not all(torch.isfinite(w).all() for w in weights.values()):
        raise ValueError("a weight is not finite")
