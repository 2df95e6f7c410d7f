"""A trained network on symmetry functions for torchani's users: one file that torch reads by itself."""

import json
from pathlib import Path

import torch
from ase.data import atomic_numbers
from torch import Tensor, nn
from torchani.neighbors import AllPairs

from minset.files import written_aside
from minset.model.acsf.architecture import Acsf, load_model
from minset.model.record import DESCRIPTION
from minset.model.repulsion import repulsion_of
from minset.model.terms import KNOWN, Repulsion, charges_of

FILE = "model.torchani.pt"

_USE = """\
### torchani

`{file}` holds torchani's modules as TorchScript, with repulsion{charges} and
energy offsets: torch reads it without torchani or minset. All in eV, eV/A and eV/A^3, double
precision, any periodic cell; its neighbour list compares all pairs.

```python
import torch

model = torch.jit.load("{file}")
energy, forces, stress = model(
    torch.tensor(atoms.numbers), torch.tensor(atoms.positions), torch.tensor(atoms.cell[:])
)
```"""


class Whole(nn.Module):
    """Numbers (n,), positions (n, 3), cell (3, 3) to energy (), forces (n, 3) and stress (3, 3)."""

    def __init__(self, model: Acsf, description: dict, charges: nn.Module | None):
        super().__init__()
        hyper = description["hyper"]
        self.functions, self.networks, self.pairs = model.functions, model.networks, AllPairs()
        self.cutoff: float = hyper["cutoff_A"]
        kinds, offsets = torch.full((KNOWN,), -1), torch.zeros(KNOWN, dtype=torch.float64)
        for kind, symbol in enumerate(hyper["elements"]):
            z = atomic_numbers[symbol]
            kinds[z], offsets[z] = kind, description["energy_offsets_eV"][str(z)]
        self.register_buffer("kinds", kinds)
        self.register_buffer("offsets", offsets)
        self.elements: str = ", ".join(hyper["elements"])
        made = repulsion_of(hyper)
        self.repulsion = Repulsion(made) if made is not None else None
        self.charges = charges

    def forward(
        self, numbers: Tensor, positions: Tensor, cell: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """As of the class."""
        kinds = self.kinds[numbers]
        if bool((kinds < 0).any()):
            raise ValueError("the model knows only " + self.elements)
        start = positions.detach().clone().requires_grad_(True)
        strain = torch.zeros_like(cell).requires_grad_(True)
        deformed = torch.eye(3, dtype=cell.dtype, device=cell.device) + strain
        moved, box = start @ deformed, cell.detach() @ deformed
        periodic = torch.ones(3, dtype=torch.bool, device=cell.device)
        near = self.pairs(self.cutoff, kinds[None], moved[None], box, periodic)
        functions = self.functions.compute_from_neighbors(kinds[None], moved[None], near)
        energy = self.networks(kinds[None], functions).sum() + self.offsets[numbers].sum()
        i, j = near.indices[0], near.indices[1]
        inputs: dict[str, Tensor] = {
            "_atomic_numbers": numbers,
            "_positions": moved,
            "_cell": box,
            "_idx_i": torch.cat([i, j]),
            "_idx_j": torch.cat([j, i]),
            "_Rij": torch.cat([near.diff_vectors, -near.diff_vectors]),
            "_idx_m": torch.zeros_like(numbers),
        }
        if self.repulsion is not None:
            energy = energy + self.repulsion(inputs)["repulsion"].sum()
        if self.charges is not None:
            energy = energy + self.charges(inputs)["charges"].sum()
        slopes = torch.autograd.grad([energy], [start, strain])
        forces, virial = slopes[0], slopes[1]
        assert forces is not None  # TorchScript asks for it
        assert virial is not None
        stress = 0.5 * (virial + virial.t()) / torch.abs(torch.linalg.det(cell))
        return energy.detach(), -forces, stress


def export_acsf(folder: Path, baseline: dict | None, target: Path) -> str:
    """Write the model for torch; see ``Model.export``."""
    model, description = load_model(folder)
    cutoff = json.loads((Path(folder) / DESCRIPTION).read_text())["hyper"]["cutoff_A"]
    charges = charges_of(baseline, cutoff, "torch") if baseline else None
    whole = Whole(model, description, charges).double().eval()
    with written_aside(target / FILE) as aside:
        torch.jit.script(whole).save(aside)
    return _USE.format(file=f"{target.name}/{FILE}", charges=", charges" if baseline else "")
