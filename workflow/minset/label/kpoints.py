"""Grids of k-points, as system files and studies give them."""

import math
from typing import Any

from ase import Atoms

GRID_OPTIONS = {
    "kpoints": {
        "type": "array",
        "minItems": 3,
        "maxItems": 3,
        "items": {"type": "integer", "minimum": 1},
        "description": "Grid of k-points around Gamma; the system file's when absent",
    },
    "kspacing_inverse_A": {
        "type": "number",
        "exclusiveMinimum": 0,
        "description": "Instead of kpoints: largest distance between them in 1/A, 2 pi in it",
    },
}


def grid_of(section: dict, given: dict) -> dict[str, Any]:
    """``kpoints`` and ``kspacing_inverse_A``, of which one is None.

    Parameters
    ----------
    section
        Of a system file.
    given
        The study's ``labels.settings``; where it gives one of them, both are from there.
    """
    source = given if any(key in given for key in GRID_OPTIONS) else section
    return {key: source.get(key) for key in GRID_OPTIONS}


def grid_mistake(section: dict, given: dict, where: str) -> str | None:
    """What is wrong with the two; ``where`` names the system file."""
    if sum(value is not None for value in grid_of(section, given).values()) == 1:
        return None
    return f"labels.settings.kpoints: give either kpoints or kspacing_inverse_A, here or in {where}"


def kpoints_of(atoms: Atoms, kspacing_inverse_A: float) -> list[int]:
    """Smallest grid (3,) whose points are no farther apart than a distance in 1/A, 2 pi in it."""
    lengths = 2 * math.pi * atoms.cell.reciprocal().lengths()
    return [max(1, math.ceil(length / kspacing_inverse_A - 1e-9)) for length in lengths]
