"""Energies of the species, which models learn nothing of: they are taken off the labels."""

import numpy as np
from ase import Atoms
from ase.data import chemical_symbols


def energy_offsets(frames: list[Atoms]) -> dict[int, float]:
    """Energy per atom of each species in the labels, see ``species_energies``."""
    return species_energies(frames, np.array([f.get_potential_energy() for f in frames]))


def species_energies(frames: list[Atoms], energies_eV: np.ndarray) -> dict[int, float]:
    """Energy per atom of each species, least squares over frames (eV, by atomic number).

    Where the compositions leave it open, as one composition alone does of all but the sum, the smallest
    ones are taken.

    Parameters
    ----------
    energies_eV
        Of the frames, shape (m,).
    """
    species = sorted({int(z) for f in frames for z in f.numbers})
    counts = np.array([[np.sum(f.numbers == z) for z in species] for f in frames], dtype=float)
    solution = np.linalg.lstsq(counts, energies_eV, rcond=None)[0]
    return dict(zip(species, solution.tolist(), strict=True))


def require_trained(offsets: dict[int, float], validation: list[Atoms]) -> None:
    """Stop at validation frames with elements of which there is no training.

    Parameters
    ----------
    offsets
        From ``energy_offsets`` of the training frames.
    validation
        Validation frames.

    Raises
    ------
    ValueError
        With the first such frame and its elements.
    """
    for number, frame in enumerate(validation):
        if unknown := sorted({int(z) for z in frame.numbers} - set(offsets)):
            raise ValueError(
                f"validation frame {number} ({frame.symbols}) has {_names(unknown)}, and the training "
                f"frames have only {_names(offsets)}: the model cannot learn what it does not see. "
                "Take more training frames, of all compositions, or leave such validation frames out"
            )


def _names(numbers) -> str:
    return ", ".join(chemical_symbols[z] for z in numbers)
