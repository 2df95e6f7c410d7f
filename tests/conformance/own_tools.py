"""Forces of exported models by each kind's own tool, without force calls of minset."""

from pathlib import Path

import numpy as np
import torch
from ase import Atoms
from ase.data import atomic_numbers

from minset.md.session import gather, load_atoms, open_lammps

CUTOFF_A = 6.0  # of the examples of SchNet


def by_schnetpack(folder: Path, atoms: Atoms) -> np.ndarray:
    """Through its layers and its neighbour list."""
    from schnetpack.interfaces.ase_interface import AtomsConverter
    from schnetpack.transform import ASENeighborList

    model = torch.load(folder / "model.schnetpack", weights_only=False)
    given = AtomsConverter(ASENeighborList(cutoff=CUTOFF_A), dtype=torch.float64)(atoms)
    return model(given)["forces"].detach().numpy()


def by_torch(folder: Path, atoms: Atoms) -> np.ndarray:
    """TorchScript alone."""
    model = torch.jit.load(folder / "model.torchani.pt")
    given = (atoms.numbers, atoms.positions, atoms.cell[:])
    return model(*map(torch.as_tensor, given))[1].numpy()


def by_quippy(folder: Path, atoms: Atoms) -> np.ndarray:
    """quippy, and LAMMPS with the table of the repulsion."""
    from quippy.potential import Potential

    copy = atoms.copy()
    copy.calc = Potential(param_filename=str(folder / "gap.xml"))
    return copy.get_forces() + _by_table(folder / "repulsion.table", atoms)


def _by_table(path: Path, atoms: Atoms) -> np.ndarray:
    species = sorted(set(atoms.symbols), key=atomic_numbers.get)
    lmp = open_lammps()
    box = load_atoms(lmp, atoms, {"species": {s: {"mass_u": 1.0, "charge": 0.0} for s in species}})
    lmp.command("pair_style table linear 20000")
    for i, a in enumerate(species):
        for j, b in enumerate(species[i:], start=i):
            lmp.command(f"pair_coeff {i + 1} {j + 1} {path} {a}-{b}")
    lmp.command("run 0")
    forces = box.from_lammps(gather(lmp, "f", 3))
    lmp.close()
    return forces


FORCES = {"schnet": by_schnetpack, "acsf": by_torch, "gap": by_quippy}
"""A new kind of model gets a line here"""
