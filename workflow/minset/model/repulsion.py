"""Screened nuclear repulsion of Ziegler, Biersack and Littmark (1985) as a floor under a network.

No liquid at a usable temperature shows a network what happens when two ions overlap, and where it
knows nothing it may attract. The universal repulsion is negligible at bonding distances and steep
below them.
"""

import numpy as np
import torch

_COULOMB_EV_A = 14.399645
_SCREENING_A = 0.46850
_WEIGHTS = (0.18175, 0.50986, 0.28022, 0.02817)
_EXPONENTS = (3.19980, 0.94229, 0.40290, 0.20162)


def zbl_energy(
    z_i: torch.Tensor, z_j: torch.Tensor, distance: torch.Tensor, cutoff_A: float
) -> torch.Tensor:
    """Pair energy in eV, brought smoothly to zero at the cutoff.

    U(r) = k Z_i Z_j / r phi(r/a) fc(r), with a = 0.4685 A / (Z_i^0.23 + Z_j^0.23), phi the universal
    screening function and fc = (1 + cos(pi r / cutoff)) / 2.

    Parameters
    ----------
    z_i, z_j
        Atomic numbers of the two atoms of each pair, shape (e,).
    distance
        In A, shape (e,).
    """
    scaled = distance * (z_i**0.23 + z_j**0.23) / _SCREENING_A
    screening = sum(w * torch.exp(-b * scaled) for w, b in zip(_WEIGHTS, _EXPONENTS, strict=True))
    smooth = 0.5 * (1 + torch.cos(torch.pi * distance / cutoff_A)) * (distance < cutoff_A)
    return _COULOMB_EV_A * z_i * z_j / distance * screening * smooth


def zbl_of(numbers, i, j, vectors, cutoff_A: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
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
    z = torch.as_tensor(numbers, dtype=torch.float64)
    r_ij = torch.as_tensor(vectors).requires_grad_()
    pairs = zbl_energy(z[i], z[j], r_ij.norm(dim=1), cutoff_A)
    (gradient,) = torch.autograd.grad(pairs.sum(), r_ij)
    energies, forces = np.zeros(len(numbers)), np.zeros((len(numbers), 3))
    for end in (i, j):
        np.add.at(energies, end, 0.5 * pairs.detach().numpy())
    np.add.at(forces, i, gradient.numpy())
    np.add.at(forces, j, -gradient.numpy())
    return energies, forces, vectors.T @ gradient.numpy()
