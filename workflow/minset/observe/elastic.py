"""Elastic constants of cubic crystals, from the stress of small strains."""

import numpy as np
from ase import Atoms

from minset.crystal import STRUCTURES, crystal_needs
from minset.evaluation import Unusable
from minset.observe.crystals import (
    OF_CRYSTALS,
    EngineCalculator,
    crystal_mistakes,
    relaxed_crystal,
    structures_wanted,
    table_of,
)
from minset.observe.record import Observable, Table, nothing_more, without_rows
from minset.units import GPA_EV_A3

CUBIC = [name for name, structure in STRUCTURES.items() if structure.cubic]
_CONSTANTS = ("c11_GPa", "c12_GPa", "c44_GPa", "c_prime_GPa")


def observe_elastic(source: dict, system: dict, settings: dict, threads: int = 1) -> dict:
    """Table ``elastic`` of a force engine, a row for each cubic structure, see `Observable`."""
    if reason := crystal_needs(system):
        return without_rows(RECORD.tables, reason)
    calculator = EngineCalculator(source, system, threads)
    rows = []
    for structure in structures_wanted(system, settings):
        if structure not in CUBIC:
            continue
        relaxed = relaxed_crystal(structure, system, calculator, settings)
        found, note = dict.fromkeys(_CONSTANTS, np.nan), relaxed.note
        if not note:
            try:
                found = elastic_constants(relaxed.atoms, settings["strain_percent"] / 100)
            except Unusable as error:
                note = str(error)
        if found["c44_GPa"] < 0 or found["c_prime_GPa"] < 0:
            note = "not stable: it gives way to a shear"
        rows.append({"structure": structure} | found | {"note": note})
    return {"elastic": table_of(rows)}


def elastic_constants(atoms: Atoms, strain: float) -> dict[str, float]:
    """Elastic constants of a cubic crystal in its minimum, in GPa, by central differences.

    Its atoms sit at centres of inversion, so they stay at their places in the strained cell.


    Parameters
    ----------
    atoms
        Primitive cell as of ``ase.build.bulk``, whose axes are x, y and z; with a calculator.
    strain
        On either side, such as 0.005.
    """
    stretched = _stress_change(atoms, np.diag([1.0, 0.0, 0.0]), strain)
    sheared = _stress_change(atoms, np.array([[0, 0, 0], [0, 0, 0.5], [0, 0.5, 0]]), strain)
    c11, c12 = stretched[0, 0], (stretched[1, 1] + stretched[2, 2]) / 2
    values = (c11, c12, sheared[1, 2], (c11 - c12) / 2)
    return {name: float(value / GPA_EV_A3) for name, value in zip(_CONSTANTS, values, strict=True)}


def _stress_change(atoms: Atoms, direction: np.ndarray, strain: float) -> np.ndarray:
    """Derivative of the stress in eV/A^3 along a strain, shape (3, 3)."""
    stresses = []
    for sign in (1, -1):
        strained = atoms.copy()
        strained.calc = atoms.calc
        deformed = np.eye(3) + sign * strain * direction
        strained.set_cell(atoms.cell[:] @ deformed, scale_atoms=True)
        stresses.append(strained.get_stress(voigt=False))
    return (stresses[0] - stresses[1]) / (2 * strain)


def elastic_mistakes(settings: dict, system: dict, cutoff_A: float) -> list[str]:
    """Structures that the system does not have, or that are not cubic."""
    return crystal_mistakes(settings, system, cutoff_A) + [
        f"structures: {name} is not cubic; choose from {', '.join(CUBIC)}"
        for name in settings.get("structures", [])
        if name not in CUBIC
    ]


RECORD = Observable(
    of="engine",
    tables={"elastic": Table("elastic")},
    observe=observe_elastic,
    caption="Elastic constants of cubic crystals, for every trained model and reference potential, and "
    "the shear modulus (C11 - C12)/2. The note says which crystal is not stable.",
    options={key: value for key, value in OF_CRYSTALS.items() if key != "c_over_a"}
    | {
        "strain_percent": {
            "type": "number",
            "exclusiveMinimum": 0,
            "maximum": 5,
            "default": 0.5,
            "description": "On either side of the minimum",
        }
    },
    needs=crystal_needs,
    mistakes=elastic_mistakes,
    seconds=nothing_more,
    megabytes=nothing_more,
)
