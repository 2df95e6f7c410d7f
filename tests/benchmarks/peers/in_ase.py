"""MD of contestants that have no engine of their own here: velocity Verlet in ASE."""

from collections.abc import Callable

import ase.units
from ase import Atoms
from ase.md.verlet import VelocityVerlet


def verlet(calculator, atoms: Atoms) -> Callable[[int], None]:
    """Run so many steps of 1 fs."""
    atoms = atoms.copy()
    atoms.calc = calculator
    return VelocityVerlet(atoms, ase.units.fs).run
