"""The potential of torchani's parts: symmetry functions of atoms and a network for each element."""

import json
import math
import os
from pathlib import Path

import numpy as np
import torch
from ase.data import chemical_symbols

from minset.files import read_torch, write_json, write_torch
from minset.model.acsf import WEIGHTS
from minset.model.record import DESCRIPTION
from minset.model.repulsion import require_sane

os.environ.setdefault("TORCHANI_NO_WARN_EXTENSIONS", "1")  # of CUDA, which is not used

from torchani.aev import AEVComputer, ANIAngular, ANIRadial
from torchani.aev._terms import Angular, Radial
from torchani.nn import ANINetworks, AtomicNetwork

ZETA = 14.1  # of ANI's directions, as in ANI-2x


class BehlerRadial(Radial):
    """G2 about the atom itself: exp(-eta r^2) fc(r)."""

    tensors = ["eta"]  # noqa: RUF012

    def compute(self, distances: torch.Tensor) -> torch.Tensor:
        return torch.exp(-self.eta * distances**2)


class BehlerAngular(Angular):
    """G5: 2^(1 - zeta) (1 + lambda cos)^zeta exp(-eta (r_1^2 + r_2^2)) fc(r_1) fc(r_2)."""

    angles_tensors = ["zeta", "sign"]  # noqa: RUF012
    radial_tensors = ["eta"]  # noqa: RUF012

    def compute_radial(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        return torch.exp(-self.eta * (first**2 + second**2))

    def compute_cos_angles(self, cosines: torch.Tensor) -> torch.Tensor:
        return 2 * ((1 + self.sign * cosines).clamp(min=0) / 2) ** self.zeta


class Acsf(torch.nn.Module):
    """``functions`` (``torchani.aev.AEVComputer``) and ``networks`` (``torchani.nn.ANINetworks``)."""

    def __init__(self, functions: AEVComputer, networks: ANINetworks):
        super().__init__()
        self.functions, self.networks = functions, networks


def hyper_of(settings: dict, numbers) -> dict:
    """Hyper-parameters: the settings and the elements.

    Parameters
    ----------
    settings
        Options of the record, complete.
    numbers
        Atomic numbers of the elements.

    Raises
    ------
    ValueError
        If the functions begin beyond a cutoff, or triples reach farther than pairs.
    """
    start, inner, outer = (settings[k] for k in ("start_A", "angular_cutoff_A", "cutoff_A"))
    if not start < inner < outer:
        raise ValueError(
            f"start_A ({start:g}) must be below angular_cutoff_A ({inner:g}) and that below cutoff_A "
            f"({outer:g})"
        )
    return settings | {"elements": [chemical_symbols[z] for z in sorted(numbers)]}


def build_functions(hyper: dict) -> AEVComputer:
    """Symmetry functions, ``start_A`` to the cutoffs covered evenly.

    ANI's Gaussians overlap as those of ANI-1x and ANI-2x: eta is the inverse square of their spacing.
    Behler's have the eta whose turning points are evenly spaced, eta = 1 / (2 r^2). ANI's cutoff function
    is torchani's smooth one, with all derivatives; Behler's the cosine.
    """
    start, inner, outer = (hyper[k] for k in ("start_A", "angular_cutoff_A", "cutoff_A"))
    if hyper["functions"] == "ani":
        spacing = (outer - start) / hyper["radial"], (inner - start) / hyper["angular"]
        eta = spacing[0] ** -2, spacing[1] ** -2
        radial = ANIRadial.cover_linearly(start, outer, eta[0], hyper["radial"], "smooth")
        angular = ANIAngular.cover_linearly(
            start, inner, eta[1], ZETA, hyper["angular"], hyper["sections"], "smooth"
        )
    else:
        exponents = [2.0**k for k in range(hyper["sections"])]
        signs = [1.0] * len(exponents) + [-1.0] * len(exponents)
        radial = BehlerRadial(outer, eta=_widths(start, outer, hyper["radial"]))
        angular = BehlerAngular(
            inner, eta=_widths(start, inner, hyper["angular"]), zeta=exponents * 2, sign=signs
        )
    return AEVComputer(radial, angular, len(hyper["elements"]))


def _widths(start_A: float, cutoff_A: float, count: int) -> list[float]:
    """eta of Gaussians about r = 0 whose turning points are evenly spaced."""
    return (0.5 / np.linspace(start_A, cutoff_A, count) ** 2).tolist()


def build_model(hyper: dict) -> Acsf:
    """Potential with weights drawn from torch's global generator: seed it before.

    Its energies are relative to the offsets in ``model.json`` and without the repulsion.
    """
    functions = build_functions(hyper)
    widths = [functions.out_dim, *hyper["hidden"], 1]
    networks = {symbol: AtomicNetwork(widths, "gelu", bias=True) for symbol in hyper["elements"]}
    return Acsf(functions, ANINetworks(networks))


def layers_of(network: AtomicNetwork) -> list[torch.nn.Linear]:
    """Linear layers of an element's network, the last one included."""
    return [*network.layers, network.final_layer]


def save_model(folder: Path, model: Acsf, description: dict) -> None:
    """Write ``model.pt`` and then ``model.json``; each replaces its predecessor in one step."""
    write_torch(Path(folder) / WEIGHTS, model.networks.state_dict())
    write_json(Path(folder) / DESCRIPTION, {"kind": "acsf"} | description)


def load_model(folder: Path) -> tuple[Acsf, dict]:
    """Read a saved model.

    Returns
    -------
    model, description
        The potential in double precision and the content of ``model.json``.

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
        expected = {name: w.shape for name, w in model.networks.state_dict().items()}
        if {name: w.shape for name, w in weights.items()} != expected:
            raise ValueError("the weights do not fit the hyper-parameters")
        model.networks.load_state_dict(weights)
    except Exception as error:  # a file of unknown content has many ways to be wrong
        raise ValueError(
            f"the model in {folder} cannot be read ({error}); remove the folder and train it again"
        ) from error
    return model.double().eval().requires_grad_(False), description


def _require_sane(description: dict, weights: dict) -> None:
    """Raise unless hyper-parameters, offsets and weights are finite and of the same network."""
    hyper, offsets = description["hyper"], description["energy_offsets_eV"]
    elements = [chemical_symbols[z] for z in sorted(map(int, offsets))]
    if hyper["elements"] != elements or not all(math.isfinite(e) for e in offsets.values()):
        raise ValueError("energy offsets do not fit the elements")
    if not 0 < hyper["start_A"] < hyper["angular_cutoff_A"] < hyper["cutoff_A"] < 100:
        raise ValueError("a cutoff is out of range")
    counts = [hyper[k] for k in ("radial", "angular", "sections")]
    if not all(type(n) is int and 1 <= n <= 100 for n in counts):
        raise ValueError("the number of functions is out of range")
    if not all(type(n) is int and 1 <= n <= 1000 for n in hyper["hidden"]):
        raise ValueError("hidden layers are out of range")
    require_sane(hyper, map(int, offsets))
    if not all(torch.isfinite(w).all() for w in weights.values()):
        raise ValueError("a weight is not finite")
