"""What stands beside a trained network, as torch modules that go with it into files of other tools.

Repulsion and point charges as TorchScript, so that a file that holds them needs no code of this package.
"""

import io
import math
import pickle
from pathlib import Path
from types import SimpleNamespace

import torch
from ase.data import chemical_symbols
from torch import Tensor, nn

from minset.files import written_aside
from minset.model import repulsion
from minset.model.record import BeyondTool

# erfc(3.6) is 4e-7: forces of charges to 1e-5 eV/A
_REACH = 3.6
KNOWN = len(chemical_symbols)  # longest table by atomic number


class Repulsion(nn.Module):
    """``minset.model.repulsion.pair_energy`` of the pairs of frames."""

    def __init__(self, made: repulsion.Repulsion):
        super().__init__()
        self.register_buffer("ends", made.ends_A.clone())
        self.register_buffer("weights", torch.tensor(repulsion.WEIGHTS, dtype=torch.float64))
        self.register_buffer("exponents", torch.tensor(repulsion.EXPONENTS, dtype=torch.float64))
        self.scale: float = repulsion.COULOMB_EV_A
        self.screening: float = repulsion.SCREENING_A
        self.begin: float = repulsion.FLOOR_BEGIN
        self.floor: bool = made.kind == "floor"

    def forward(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """Add ``repulsion`` (m,) in eV."""
        z, i, j = inputs["_atomic_numbers"], inputs["_idx_i"], inputs["_idx_j"]
        distance = torch.linalg.norm(inputs["_Rij"], dim=1)
        z_i, z_j = z[i].to(distance.dtype), z[j].to(distance.dtype)
        scaled = distance * (z_i**0.23 + z_j**0.23) / self.screening
        screening = torch.exp(-scaled[:, None] * self.exponents) @ self.weights
        share = distance / self.ends[z[i], z[j]]
        if self.floor:
            t = ((share - self.begin) / (1.0 - self.begin)).clamp(0.0, 1.0)
            switch = (1.0 - t) ** 4 * (1.0 + t * (4.0 + t * (10.0 + t * 20.0)))
        else:
            switch = 0.5 * (1.0 + torch.cos(math.pi * share.clamp(0.0, 1.0)))
        pairs = 0.5 * self.scale * z_i * z_j / distance * screening * switch
        frames = inputs["_idx_m"]
        energy = torch.zeros(int(frames[-1]) + 1, dtype=pairs.dtype, device=pairs.device)
        inputs["repulsion"] = energy.index_add(0, frames[i], pairs)
        return inputs


class Charges(nn.Module):
    """Point charges in any periodic cell, by Ewald's sum; a net charge has a uniform background."""

    def __init__(self, charges: dict[int, float], eps_inf: float, cutoff_A: float):
        super().__init__()
        by_number = torch.zeros(KNOWN, dtype=torch.float64)
        for number, charge in charges.items():
            by_number[number] = charge
        self.register_buffer("charges", by_number)
        self.scale: float = repulsion.COULOMB_EV_A / eps_inf
        self.alpha: float = _REACH / cutoff_A
        self.cutoff: float = cutoff_A
        self.largest_k: float = 2 * _REACH * self.alpha

    def forward(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """Add ``charges`` (m,) in eV."""
        q, frames = self.charges[inputs["_atomic_numbers"]], inputs["_idx_m"]
        i, j = inputs["_idx_i"], inputs["_idx_j"]
        distance = torch.linalg.norm(inputs["_Rij"], dim=1)
        pairs = 0.5 * q[i] * q[j] * torch.erfc(self.alpha * distance) / distance
        pairs = pairs * (distance < self.cutoff)
        count = int(frames[-1]) + 1
        energy = torch.zeros(count, dtype=pairs.dtype, device=pairs.device)
        energy = energy.index_add(0, frames[i], pairs)
        cells = inputs["_cell"].reshape(-1, 3, 3)
        far: list[Tensor] = []
        for frame in range(count):
            mine = frames == frame
            far.append(self.beyond(q[mine], inputs["_positions"][mine], cells[frame]))
        inputs["charges"] = self.scale * (energy + torch.stack(far))
        return inputs

    def beyond(self, q: Tensor, positions: Tensor, cell: Tensor) -> Tensor:
        """Sum over reciprocal lattice vectors, half of them, less what charges do to themselves."""
        volume = torch.abs(torch.linalg.det(cell))
        reciprocal = 2.0 * math.pi * torch.linalg.inv(cell).transpose(0, 1)
        edges = torch.linalg.norm(cell.detach(), dim=1)
        most = [int(self.largest_k * float(edges[axis]) / (2.0 * math.pi)) for axis in range(3)]
        n = torch.cartesian_prod(
            torch.arange(0, most[0] + 1, device=cell.device),
            torch.arange(-most[1], most[1] + 1, device=cell.device),
            torch.arange(-most[2], most[2] + 1, device=cell.device),
        )
        a, b, c = n[:, 0], n[:, 1], n[:, 2]
        n = n[(a > 0) | ((a == 0) & ((b > 0) | ((b == 0) & (c > 0))))].to(cell.dtype)
        k = n @ reciprocal
        k = k[(k.detach() ** 2).sum(1) < self.largest_k**2]
        squared = (k**2).sum(1)
        phase = k @ positions.transpose(0, 1)
        structure = (torch.cos(phase) @ q) ** 2 + (torch.sin(phase) @ q) ** 2
        waves = (torch.exp(-squared / (4.0 * self.alpha**2)) / squared * structure).sum()
        own = self.alpha / math.sqrt(math.pi) * (q**2).sum()
        background = math.pi / (2.0 * self.alpha**2) * q.sum() ** 2
        return (4.0 * math.pi * waves - background) / volume - own


def charges_of(baseline: dict, cutoff_A: float, tool: str) -> nn.Module:
    """Charges of a baseline, as a script.

    Raises
    ------
    BeyondTool
        If the baseline is another potential: ``tool`` has nothing for it.
    """
    potential = baseline["potential"]
    if potential["potential"] != "coulomb":
        raise BeyondTool(
            f"{tool} cannot compute `{potential['potential']}`, on which the model stands"
        )
    charges = {
        chemical_symbols.index(symbol): species["charge"]
        for symbol, species in baseline["species"].items()
    }
    return torch.jit.script(Charges(charges, potential["eps_inf"], cutoff_A))


class _Pickler(pickle.Pickler):
    """Writes a scripted module as a call of ``torch.jit.load``; pickle cannot by itself."""

    def reducer_override(self, content):
        if not isinstance(content, torch.jit.ScriptModule):
            return NotImplemented
        buffer = io.BytesIO()
        torch.jit.save(content, buffer)
        return torch.jit.load, (io.BytesIO(buffer.getvalue()),)


def write_module(path: Path, model: nn.Module) -> None:
    """Write a model for ``torch.load(..., weights_only=False)``, in one step."""
    buffer = io.BytesIO()
    torch.save(model, buffer, pickle_module=SimpleNamespace(__name__="pickle", Pickler=_Pickler))
    with written_aside(path) as aside:
        aside.write_bytes(buffer.getbuffer())
