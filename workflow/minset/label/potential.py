"""Labeler ``lammps``: a potential itself, for studies of the method without DFT."""

from pathlib import Path

from ase import Atoms
from ase.data import atomic_masses, atomic_numbers

from minset.label.store import RawLabel
from minset.potential.forces import single_point

STUDY_SETTINGS = frozenset({"potential"})


def physics_settings(settings: dict) -> dict:
    """All settings: the potential's name and its parameters."""
    return settings


def label(atoms: Atoms, settings: dict, workdir: Path, threads: int) -> RawLabel:
    """Energy, forces and stress of a potential.

    Parameters
    ----------
    settings
        ``potential``, a potential value, and ``charges`` of the species in e; elements of ``atoms`` that
        it does not name have none.
    """
    charges = settings["charges"]
    species = [*charges, *sorted(set(atoms.symbols) - set(charges))]
    system = {"species": {s: _species(s, charges) for s in species}}
    point = single_point(system | {"potential": settings["potential"]}, atoms)
    return RawLabel(
        energy_eV=point.energy_eV,
        forces_eV_A=point.forces_eV_A,
        stress_eV_A3=point.stress_eV_A3,
        info={"version": point.version},
    )


def _species(symbol: str, charges: dict) -> dict:
    # no mass enters the label; LAMMPS wants one
    mass = float(atomic_masses[atomic_numbers[symbol]])
    return {"charge": charges.get(symbol, 0.0), "mass_u": mass}
