"""Screened nuclear repulsion of Ziegler, Biersack and Littmark (1985) under a model.

No liquid at a usable temperature shows a model what happens when two ions overlap, and where it knows
nothing it may attract. The universal repulsion is steep there. ``zbl`` has it at all distances, brought
to zero at the cutoff of the model; ``floor`` only below the shortest distance at which each pair of
elements was labelled.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from ase import Atoms
from ase.data import atomic_numbers, chemical_symbols

from minset.contacts import shortest_distances_of
from minset.system import covalent_contact_A

COULOMB_EV_A = 14.399645
SCREENING_A = 0.46850
WEIGHTS = (0.18175, 0.50986, 0.28022, 0.02817)
EXPONENTS = (3.19980, 0.94229, 0.40290, 0.20162)
FLOOR_SHARE = 0.97  # of the shortest labelled distance: the floor ends there
FLOOR_BEGIN = 0.8  # of its end: the repulsion is whole below


@dataclass(frozen=True)
class Repulsion:
    """Universal repulsion between all elements, with the distances at which it ends."""

    kind: str
    """``zbl`` or ``floor``"""
    ends_A: torch.Tensor
    """By atomic numbers, shape (119, 119)"""


def repulsion_of(settings: dict) -> Repulsion | None:
    """Repulsion of a model; None if it has none.

    Parameters
    ----------
    settings
        ``repulsion`` (``none``, ``zbl``, ``floor``), ``cutoff_A`` and, of a floor, ``floor_A``.
    """
    if settings["repulsion"] == "none":
        return None
    size = len(chemical_symbols)
    ends = torch.full((size, size), float(settings["cutoff_A"]), dtype=torch.float64)
    if settings["repulsion"] == "floor":
        for pair, end in settings["floor_A"].items():
            a, b = (atomic_numbers[symbol] for symbol in pair.split("-"))
            ends[a, b] = ends[b, a] = end
    return Repulsion(settings["repulsion"], ends)


def with_floor(settings: dict, frames: list[Atoms]) -> dict:
    """Settings of a model with ``floor_A``, if its repulsion is a floor; else as they are.

    Parameters
    ----------
    settings
        ``repulsion`` and ``cutoff_A``.
    frames
        All that are labelled.

    Returns
    -------
    dict
        ``floor_A`` has the distance in A at which the floor of each pair of elements ends, by names
        as ``K-Cl``: ``FLOOR_SHARE`` times the shortest one in the frames. Elements that are nowhere
        within 6 A of each other have the sum of their covalent radii.
    """
    if settings["repulsion"] != "floor":
        return settings
    shortest, floor = shortest_distances_of(frames), {}
    for pair in _pairs(np.unique(np.concatenate([frame.numbers for frame in frames]))):
        seen = shortest.get(_name(pair))
        end = (
            FLOOR_SHARE * seen if seen else covalent_contact_A(*(chemical_symbols[z] for z in pair))
        )
        floor[_name(pair)] = float(min(end, settings["cutoff_A"]))
    return settings | {"floor_A": floor}


def require_sane(settings: dict, numbers) -> None:
    """Raise ValueError unless the repulsion of a saved model is known and ends between its elements.

    Parameters
    ----------
    settings
        As of ``repulsion_of``.
    numbers
        Atomic numbers that the model knows.
    """
    if settings["repulsion"] not in ("none", "zbl", "floor"):
        raise ValueError(f"repulsion {settings['repulsion']!r} is not known")
    if settings["repulsion"] != "floor":
        return
    floor = settings.get("floor_A", {})
    if set(floor) != {_name(pair) for pair in _pairs(sorted(numbers))}:
        raise ValueError("floor_A does not have the pairs of its elements")
    if not all(0 < end <= settings["cutoff_A"] for end in floor.values()):
        raise ValueError("floor_A is out of range")


def _pairs(numbers) -> list[tuple[int, int]]:
    """Pairs of elements, each once."""
    return [(int(a), int(b)) for k, a in enumerate(numbers) for b in numbers[k:]]


def _name(pair: tuple[int, int]) -> str:
    """Like those of ``minset.contacts``."""
    return "-".join(chemical_symbols[z] for z in sorted(pair, reverse=True))


def pair_energy(
    repulsion: Repulsion, z_i: torch.Tensor, z_j: torch.Tensor, distance: torch.Tensor
) -> torch.Tensor:
    """Energy of pairs in eV, shape (e,), with three continuous derivatives for a floor.

    U(r) = k Z_i Z_j / r phi(r/a) s(r/end), with a = 0.4685 A / (Z_i^0.23 + Z_j^0.23) and phi the
    universal screening function. The switch s is (1 + cos(pi r / end)) / 2 of ``zbl``; of ``floor``
    it is one below ``FLOOR_BEGIN`` and falls to zero at the end as the polynomial of seventh degree
    of which three derivatives are zero on both sides.

    Parameters
    ----------
    z_i, z_j
        Atomic numbers of the two atoms of each pair, integers of shape (e,).
    distance
        In A, shape (e,).
    """
    exact = [z.to(distance.dtype) for z in (z_i, z_j)]
    scaled = distance * (exact[0] ** 0.23 + exact[1] ** 0.23) / SCREENING_A
    screening = sum(w * torch.exp(-b * scaled) for w, b in zip(WEIGHTS, EXPONENTS, strict=True))
    share = distance / repulsion.ends_A.to(distance)[z_i, z_j]
    if repulsion.kind == "floor":
        t = ((share - FLOOR_BEGIN) / (1 - FLOOR_BEGIN)).clamp(0, 1)
        switch = (1 - t) ** 4 * (1 + t * (4 + t * (10 + t * 20)))
    else:
        switch = 0.5 * (1 + torch.cos(math.pi * share)) * (share < 1)
    return COULOMB_EV_A * exact[0] * exact[1] / distance * screening * switch


def repulsion_table(
    repulsion: Repulsion, z_i: int, z_j: int, cutoff_A: float, segments: int
) -> np.ndarray:
    """Values (eV A) and slopes (eV) of d U(d) at the knots for a pair of species.

    The shape is (segments + 1, 2). U is ``pair_energy``. The factor d takes away
    its pole, so that the table reaches down to d = 0.
    """
    # d U(d) at 0 is the limit of its neighbourhood
    distance = np.linspace(0, cutoff_A, segments + 1)
    distance[0] = 1e-9
    d = torch.as_tensor(distance).requires_grad_()
    values = d * pair_energy(repulsion, torch.tensor(z_i), torch.tensor(z_j), d)
    (slopes,) = torch.autograd.grad(values.sum(), d)
    table = np.stack([values.detach().numpy(), slopes.numpy()], axis=1)
    table[-1] = 0.0
    return table


def repulsion_tables(
    repulsion: Repulsion | None, numbers, cutoff_A: float, segments: int
) -> np.ndarray:
    """``repulsion_table`` of pairs of species, shape (S, S, segments + 1, 2); of None (S, S, 0, 2)."""
    if repulsion is None:
        return np.zeros((len(numbers), len(numbers), 0, 2))
    return np.array(
        [[repulsion_table(repulsion, a, b, cutoff_A, segments) for b in numbers] for a in numbers]
    )


def repulsion_on(
    repulsion: Repulsion, numbers, i, j, vectors
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Repulsion of a structure.

    Parameters
    ----------
    numbers
        Atomic numbers, shape (n,).
    i, j, vectors
        Each pair once: indices (p,) and r_j - r_i in A, shape (p, 3).

    Returns
    -------
    energies, forces, virial
        Half of each pair's energy at each of its atoms, in eV with shape (n,); in eV/A with shape
        (n, 3); and dE/dstrain in eV with shape (3, 3).
    """
    z = torch.as_tensor(numbers, dtype=torch.long)
    r_ij = torch.as_tensor(vectors).requires_grad_()
    pairs = pair_energy(repulsion, z[i], z[j], r_ij.norm(dim=1))
    (gradient,) = torch.autograd.grad(pairs.sum(), r_ij)
    energies, forces = np.zeros(len(numbers)), np.zeros((len(numbers), 3))
    for end in (i, j):
        np.add.at(energies, end, 0.5 * pairs.detach().numpy())
    np.add.at(forces, i, gradient.numpy())
    np.add.at(forces, j, -gradient.numpy())
    return energies, forces, vectors.T @ gradient.numpy()
