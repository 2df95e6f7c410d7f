"""Whether energies and stresses of a file are those that belong to its forces, in sign and unit.

A sum of pair functions is fitted to the forces of some frames. No liquid or crystal is so simple,
but its energies and stresses follow the true ones closely enough to tell a wrong sign, or eV from
Hartree.
"""

from itertools import combinations_with_replacement

import numpy as np
from ase import Atoms

CUTOFF_A = 6.0
CENTRES_A = np.linspace(1.5, CUTOFF_A, 14)
FRAMES = 40  # that are looked at
LEAST_FRAMES = 5  # of which something can be said
# liquids and crystals have 0.6 to 1.1 (KCl, KCl-ThCl4 and ThCl4 by DFT, Al and Ni by EAM)
PLAUSIBLE = (0.35, 3.0)
CORRELATED = 0.6

# what a number is too large by, if the unit is another: of energies, and of stresses
ENERGY_FACTORS = {
    1 / 27.211: "energies in Hartree",
    1 / 13.606: "energies in Rydberg",
    23.06: "energies in kcal/mol",
    96.49: "energies in kJ/mol",
    51.42: "forces in Hartree/bohr",
    25.71: "forces in Rydberg/bohr",
}
STRESS_FACTORS = {
    160.22: "stresses in GPa",
    1602.2: "stresses in kbar",
    1602200.0: "stresses in bar",
    1 / 183.6: "stresses in Hartree/bohr^3",
}


def contradiction(frames: list[Atoms]) -> str:
    """How energies or stresses of frames contradict their forces; empty where nothing tells.

    Parameters
    ----------
    frames
        Each with forces, in eV/A, and energy, in eV, on its calculator; stress, in eV/A^3 and
        positive for tension, where it has one. Any compositions and cells.

    Returns
    -------
    str
        A sentence with the unit or sign that would explain it.
    """
    frames = [frame for frame in frames if len(frame) > 1]
    numbers = np.unique(np.linspace(0, len(frames) - 1, min(FRAMES, len(frames))).astype(int))
    some = [frames[k] for k in numbers]
    if len(some) < LEAST_FRAMES:
        return ""
    kinds = np.unique(np.concatenate([frame.numbers for frame in some]))
    functions = [_pair_functions(frame, kinds) for frame in some]
    weights = _fitted(functions, some)
    stresses = [f.calc.results.get("stress") for f in some]
    known = [k for k, stress in enumerate(stresses) if stress is not None]
    found = [_of_energies(some, kinds, [f[1] @ weights for f in functions])]
    if len(known) >= LEAST_FRAMES:
        expected = [(functions[k][2] @ weights) / some[k].cell.volume for k in known]
        given = [some[k].get_stress(voigt=False) for k in known]
        volume = float(np.mean([some[k].cell.volume for k in known]))
        found.append(_of_stresses(np.array(given), np.array(expected), volume))
    return "; ".join(filter(None, found))


def _pair_functions(frame: Atoms, kinds: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Forces (3 n, m), energy (m,) and virial (3, 3, m) of each of m functions of the distance.

    Gaussians that end at the cutoff, of each pair of species.
    """
    from minset.model.neighbours import undirected_pairs

    i, j, vectors = undirected_pairs(frame.positions, frame.cell[:], CUTOFF_A)
    distances = np.linalg.norm(vectors, axis=1)
    value, slope = _gaussians(distances)
    pulls = slope[:, None, :] * (vectors / distances[:, None])[:, :, None]
    species = np.searchsorted(kinds, frame.numbers)
    low, high = np.minimum(species[i], species[j]), np.maximum(species[i], species[j])
    forces, energies, virials = [], [], []
    for a, b in combinations_with_replacement(range(len(kinds)), 2):
        own = (low == a) & (high == b)
        force = np.zeros((len(frame), 3, len(CENTRES_A)))
        np.add.at(force, i[own], pulls[own])
        np.add.at(force, j[own], -pulls[own])
        forces.append(force.reshape(3 * len(frame), -1))
        energies.append(value[own].sum(axis=0))
        virials.append(np.einsum("pa,pbk->abk", vectors[own], pulls[own]))
    return np.hstack(forces), np.concatenate(energies), np.concatenate(virials, axis=2)


def _gaussians(distances: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    width = CENTRES_A[1] - CENTRES_A[0]
    x, r = (distances[:, None] - CENTRES_A) / width, distances[:, None]
    gaussian = np.exp(-(x**2) / 2)
    ending = (1 - (r / CUTOFF_A) ** 2) ** 2
    slope = -4 * r / CUTOFF_A**2 * (1 - (r / CUTOFF_A) ** 2)
    return gaussian * ending, gaussian * (slope - x / width * ending)


def _fitted(functions: list, frames: list[Atoms]) -> np.ndarray:
    """Weights of the functions by least squares; a little regularised, as some never occur."""
    square, target = 0.0, 0.0
    for (forces, _, _), frame in zip(functions, frames, strict=True):
        square = square + forces.T @ forces
        target = target + forces.T @ frame.get_forces().ravel()
    small = 1e-6 * np.trace(square) / len(square)
    return np.linalg.solve(square + small * np.eye(len(square)), target)


def _of_energies(frames: list[Atoms], kinds: np.ndarray, expected: list[float]) -> str:
    """Differences of energies between frames, beyond what their compositions explain."""
    counts = np.array([[(f.numbers == kind).sum() for kind in kinds] for f in frames], float)
    given = np.array([frame.get_potential_energy() for frame in frames])
    given, expected = (_beyond(counts, values) for values in (given, np.array(expected)))
    return _compared(given, expected, "energies", ENERGY_FACTORS)


def _beyond(counts: np.ndarray, values: np.ndarray) -> np.ndarray:
    return values - counts @ np.linalg.lstsq(counts, values, rcond=None)[0]


def _of_stresses(given: np.ndarray, expected: np.ndarray, volume_A3: float) -> str:
    """Deviatoric parts: long ranges add pressure, and shear hardly."""
    given, expected = (
        (s - np.trace(s, axis1=1, axis2=2)[:, None, None] * np.eye(3) / 3).ravel()
        for s in (given, expected)
    )
    factors = STRESS_FACTORS | {volume_A3: "virials in eV, not divided by the volume"}
    return _compared(given, expected, "stresses", factors)


def _compared(given: np.ndarray, expected: np.ndarray, what: str, factors: dict[float, str]) -> str:
    norm = np.sqrt((given @ given) * (expected @ expected))
    correlation = (given @ expected) / norm if norm > 0 else 0.0
    if abs(correlation) < CORRELATED:
        return ""
    slope = (given @ expected) / (expected @ expected)
    if slope < 0:
        return f"the {what} have the opposite sign of what the forces say"
    if PLAUSIBLE[0] < slope < PLAUSIBLE[1]:
        return ""
    near = [name for factor, name in factors.items() if abs(np.log(slope / factor)) < 0.7]
    guess = f", as of {' or '.join(near)}" if near else ""
    return f"the {what} are {slope:.3g} times what the forces say{guess}"
