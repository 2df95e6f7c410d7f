"""Relaxed crystals: lattice constants, energies, and whether they are stable."""

import numpy as np
from ase import Atoms

from minset.crystal import STRUCTURES, crystal_needs, lattice_constants_A
from minset.evaluation import Unusable
from minset.observe.crystals import (
    OF_CRYSTALS,
    EngineCalculator,
    Relaxed,
    crystal_mistakes,
    descend,
    relaxed_crystal,
    structures_wanted,
    table_of,
)
from minset.observe.record import Observable, Table, nothing_more, without_rows

_COLUMNS = (
    *("energy_eV_atom", "volume_A3_atom", "lattice_a_A", "lattice_c_A", "neighbour_A"),
    "relative_energy_meV_atom",
)
# what an unstable crystal is pushed by, and the fall that is told from noise
_RATTLE_A, _STRAIN, _FALL_EV_ATOM = 0.02, 0.01, 1e-3
_SAME_ENERGY_EV_ATOM, _SAME_VOLUME = 2e-3, 0.02


def observe_relaxation(source: dict, system: dict, settings: dict, threads: int = 1) -> dict:
    """Table ``relaxation`` of a force engine, a row for each structure, see `Observable`."""
    if reason := crystal_needs(system):
        return without_rows(RECORD.tables, reason)
    calculator = EngineCalculator(source, system, threads)
    crystals = [
        relaxed_crystal(structure, system, calculator, settings)
        for structure in structures_wanted(system, settings)
    ]
    first = settings.get("relative_to", crystals[0].structure)
    zero = next((c.energy_eV_atom for c in crystals if c.structure == first and not c.note), np.nan)
    rows = []
    for relaxed in crystals:
        note = relaxed.note
        if not note and not STRUCTURES[relaxed.structure].held:
            note = _instability(relaxed, crystals, settings)
        about = {"relative_to": first, "note": note}
        rows.append({"structure": relaxed.structure} | _numbers(relaxed, zero) | about)
    return {"relaxation": table_of(rows)}


def _numbers(relaxed: Relaxed, zero_eV_atom: float) -> dict[str, float]:
    """Energy and lattice of a crystal, NaN where it has no minimum."""
    if relaxed.note:
        return dict.fromkeys(_COLUMNS, np.nan)
    energy = relaxed.energy_eV_atom
    lattice = lattice_constants_A(relaxed.structure, relaxed.atoms)
    values = (relaxed.volume_A3_atom, *lattice, _nearest_A(relaxed.atoms))
    relative = 1000 * (energy - zero_eV_atom)
    return dict(zip(_COLUMNS, (energy, *values, relative), strict=True))


def _nearest_A(atoms: Atoms) -> float:
    """Distance between nearest neighbours."""
    from minset.contacts import shortest_A

    return float(shortest_A(atoms.numbers, atoms.positions, atoms.cell[:]).min())


def _instability(relaxed: Relaxed, all_: list[Relaxed], settings: dict) -> str:
    """What becomes of a crystal that is let go from a little off its minimum; empty if it goes back.

    Two primitive cells along each vector, so that modes at the zone's boundary are among those tried.
    """
    from ase.filters import FrechetCellFilter

    rng = np.random.default_rng(1)
    atoms = relaxed.atoms.repeat(2)
    atoms.calc = relaxed.atoms.calc
    strain = _STRAIN * rng.normal(size=(3, 3))
    atoms.set_cell(atoms.cell[:] @ (np.eye(3) + 0.5 * (strain + strain.T)), scale_atoms=True)
    atoms.positions += _RATTLE_A * rng.normal(size=(len(atoms), 3))
    try:
        broke = descend(atoms, FrechetCellFilter(atoms), settings)
        end = Relaxed("", atoms)
        fall = relaxed.energy_eV_atom - end.energy_eV_atom
    except Unusable as error:
        return f"not stable: {error}"
    if "no minimum" in broke:
        return f"not stable: {broke}"
    if fall < _FALL_EV_ATOM:
        return ""
    like = [other.structure for other in all_ if not other.note and _alike(end, other)]
    into = f" into {like[0]}" if like else ""
    return (
        f"not stable: let go near its minimum it falls{into}, by {1000 * fall:.1f} meV/atom to "
        f"{end.volume_A3_atom:.2f} A^3/atom"
    )


def _alike(one: Relaxed, other: Relaxed) -> bool:
    """Whether two crystals have the same energy and volume."""
    near = abs(one.energy_eV_atom - other.energy_eV_atom) < _SAME_ENERGY_EV_ATOM
    return near and abs(one.volume_A3_atom / other.volume_A3_atom - 1) < _SAME_VOLUME


def relaxation_mistakes(settings: dict, system: dict, cutoff_A: float) -> list[str]:
    """Structures that the system does not have, or that are not among those computed."""
    mistakes = crystal_mistakes(settings, system, cutoff_A)
    if mistakes or crystal_needs(system) or "relative_to" not in settings:
        return mistakes
    if settings["relative_to"] in (wanted := structures_wanted(system, settings)):
        return []
    return [f"relative_to: {settings['relative_to']} is not among {', '.join(wanted)}"]


RECORD = Observable(
    of="engine",
    tables={"relaxation": Table("relaxation")},
    observe=observe_relaxation,
    caption="Crystals in their minimum of the energy, for every trained model and reference potential: "
    "lattice constants, the distance of nearest neighbours, and energies, also relative to that of one "
    "structure. Symmetry is kept; the note says which crystal falls into another when it is let go, "
    "or has no minimum.",
    options=OF_CRYSTALS
    | {
        "relative_to": {
            "enum": list(STRUCTURES),
            "description": "Structure whose energy is subtracted; the first one computed when absent",
        }
    },
    needs=crystal_needs,
    mistakes=relaxation_mistakes,
    seconds=nothing_more,
    megabytes=nothing_more,
)
