"""Potentials: what makes forces without being trained here.

A system hands over one as a potential value, ``{"potential": <key of POTENTIALS>, <its options>}``. A
new kind is a module with a ``RECORD`` (see ``minset.potential.record``) and one line here.
"""

from minset.potential import calculator, coulomb, eam, lammps, tosi_fumi
from minset.potential.record import Potential

POTENTIALS: dict[str, Potential] = {
    "calculator": calculator.RECORD,
    "coulomb": coulomb.RECORD,
    "eam": eam.RECORD,
    "lammps": lammps.RECORD,
    "tosi_fumi": tosi_fumi.RECORD,
}


def record_of(system: dict) -> Potential:
    """Record of the potential of a system."""
    return POTENTIALS[system["potential"]["potential"]]


def commands_of(system: dict) -> list[str]:
    """LAMMPS commands of the potential of a system, one that LAMMPS computes."""
    return record_of(system).commands(system)


def contact_A(system: dict, a: str, b: str) -> float:
    """Distance in A at which two species of a system touch."""
    return record_of(system).contact_A(system, a, b)
