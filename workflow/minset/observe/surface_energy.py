"""Energies of crystal surfaces, with atoms as cut and relaxed."""

from dataclasses import dataclass

import numpy as np
from ase import Atoms
from ase.units import J, m

from minset.crystal import crystal_needs, lattice_constants_A, structures_of
from minset.evaluation import Unusable
from minset.observe.crystals import (
    CONVERGENCE,
    EngineCalculator,
    Relaxed,
    descend,
    relaxed_crystal,
    table_of,
)
from minset.observe.record import Observable, Table, nothing_more, without_rows
from minset.system import name_of

EV_A2_J_M2 = m**2 / J
# that tell whether the vacuum parts the slab from its images
_MORE_VACUUM_A, _LARGEST_CHANGE_J_M2 = 10.0, 1e-3


@dataclass(frozen=True)
class Facet:
    """A surface: the crystal structure, and Miller indices or the name of ASE's builder of a slab."""

    structure: str
    builder: str = ""
    indices: tuple[int, int, int] | None = None


FACETS = {
    "fcc100": Facet("fcc", "fcc100"),
    "fcc110": Facet("fcc", "fcc110"),
    "fcc111": Facet("fcc", "fcc111"),
    "bcc100": Facet("bcc", "bcc100"),
    "bcc110": Facet("bcc", "bcc110"),
    "bcc111": Facet("bcc", "bcc111"),
    "hcp0001": Facet("hcp", "hcp0001"),
    "rocksalt100": Facet("rocksalt", indices=(1, 0, 0)),
    "rocksalt110": Facet("rocksalt", indices=(1, 1, 0)),
}


def facets_of(system: dict) -> list[str]:
    """Surfaces of the usual crystal of a system."""
    usual = structures_of(system)[0]
    return [name for name, facet in FACETS.items() if facet.structure == usual]


def observe_surface_energy(source: dict, system: dict, settings: dict, threads: int = 1) -> dict:
    """Table ``surface_energy`` of a force engine, a row for each facet, see `Observable`.

    With relaxation two, unrelaxed and relaxed.
    """
    if reason := crystal_needs(system):
        return without_rows(RECORD.tables, reason)
    calculator = EngineCalculator(source, system, threads)
    facets = settings.get("facets") or facets_of(system)
    crystals = {
        structure: relaxed_crystal(structure, system, calculator, settings)
        for structure in dict.fromkeys(FACETS[facet].structure for facet in facets)
    }
    rows = []
    for facet in facets:
        found = _energies(facet, crystals[FACETS[facet].structure], settings)
        for atoms, (value, note) in found.items():
            about = {"facet": facet, "atoms": atoms, "layers": settings["layers"]}
            rows.append(about | {"surface_energy_J_m2": value, "note": note})
    if not rows:
        return without_rows(RECORD.tables, f"no facets of {structures_of(system)[0]} are known")
    return {"surface_energy": table_of(rows)}


def slab(facet: str, crystal: Relaxed, layers: int, vacuum_A: float) -> Atoms:
    """A slab of a crystal with the surfaces normal to z, periodic, with the calculator of the crystal.

    Parameters
    ----------
    layers
        Of atoms.
    vacuum_A
        Between the outermost atoms of the slab and of its image.
    """
    import ase.build
    from ase.geometry import get_layers

    of = FACETS[facet]
    a, c = lattice_constants_A(of.structure, crystal.atoms)
    symbols = list(dict.fromkeys(crystal.atoms.get_chemical_symbols()))
    if of.indices:
        cube = ase.build.bulk("".join(symbols), of.structure, a=a, cubic=True)
        made = ase.build.surface(cube, of.indices, layers, periodic=True)
        made = made[get_layers(made, (0, 0, 1), 0.1)[0] < layers]
    else:
        lattice = {"a": a, "c": c} if of.structure == "hcp" else {"a": a}
        made = getattr(ase.build, of.builder)(symbols[0], (1, 1, layers), vacuum=1.0, **lattice)
    made.center(vacuum=vacuum_A / 2, axis=2)
    made.pbc = True
    made.calc = crystal.atoms.calc
    return made


def excess_J_m2(atoms: Atoms, crystal: Relaxed) -> float:
    """Energy of a slab beyond that of as many atoms of the crystal, for each of its two surfaces."""
    area = np.linalg.norm(np.cross(atoms.cell[0], atoms.cell[1]))
    excess = atoms.get_potential_energy() - len(atoms) * crystal.energy_eV_atom
    return float(excess / (2 * area) * EV_A2_J_M2)


def _energies(facet: str, crystal: Relaxed, settings: dict) -> dict[str, tuple[float, str]]:
    """Surface energy and note of a facet, by what was done with its atoms."""
    wanted = ["unrelaxed", "relaxed"] if settings["relaxed"] else ["unrelaxed"]
    if crystal.note:
        reason = f"{crystal.structure} has no minimum to cut it from: {crystal.note}"
        return dict.fromkeys(wanted, (np.nan, reason))
    layers, vacuum_A = settings["layers"], settings["vacuum_A"]
    found, atoms = {}, slab(facet, crystal, layers, vacuum_A)
    try:
        found["unrelaxed"] = excess_J_m2(atoms, crystal), ""
        farther = excess_J_m2(slab(facet, crystal, layers, vacuum_A + _MORE_VACUUM_A), crystal)
        change = farther - found["unrelaxed"][0]
        note = ""
        if abs(change) > _LARGEST_CHANGE_J_M2:
            note = (
                f"a vacuum of {vacuum_A:g} A is too thin: {_MORE_VACUUM_A:g} A more change the surface "
                f"energy by {change:+.3f} J/m^2"
            )
        found["unrelaxed"] = found["unrelaxed"][0], note
        if settings["relaxed"]:
            broke = descend(atoms, atoms, settings)
            value = np.nan if broke else excess_J_m2(atoms, crystal)
            found["relaxed"] = value, broke or note
    except Unusable as error:
        found |= {name: (np.nan, str(error)) for name in wanted if name not in found}
    return found


def surface_mistakes(settings: dict, system: dict, cutoff_A: float) -> list[str]:
    """Facets of crystals that the system does not have, and a vacuum through which models see."""
    if crystal_needs(system):
        return []
    known = [name for name, facet in FACETS.items() if facet.structure in structures_of(system)]
    mistakes = [
        f"facets: {name} is no surface of {name_of(system)}; choose from {', '.join(known)}"
        for name in settings.get("facets", [])
        if name not in known
    ]
    if "facets" not in settings and not facets_of(system):
        mistakes.append(f"facets: name some; there are {', '.join(known) or 'none'}")
    if settings["vacuum_A"] < cutoff_A:
        mistakes.append(
            f"vacuum_A: {settings['vacuum_A']:g} A is less than the models' cutoff of {cutoff_A:g} A, so "
            "a slab would feel its image; take a vacuum beyond it"
        )
    return mistakes


RECORD = Observable(
    of="engine",
    tables={"surface_energy": Table("surface_energy")},
    observe=observe_surface_energy,
    caption="Surface energies of crystals at their own lattice constants, for every trained model and "
    "reference potential: with the atoms as cut, and relaxed. The note says what did not converge.",
    options={
        "facets": {
            "type": "array",
            "minItems": 1,
            "uniqueItems": True,
            "items": {"enum": list(FACETS)},
            "description": "Surfaces; those of the usual crystal of the system when absent",
        },
        "layers": {
            "type": "integer",
            "minimum": 4,
            "maximum": 100,
            "default": 10,
            "description": "Layers of atoms of a slab",
        },
        "vacuum_A": {
            "type": "number",
            "exclusiveMinimum": 0,
            "default": 12.0,
            "description": "Between a slab and its image, beyond every cutoff",
        },
        "relaxed": {
            "type": "boolean",
            "default": True,
            "description": "Whether the atoms are also relaxed",
        },
    }
    | CONVERGENCE,
    needs=crystal_needs,
    mistakes=surface_mistakes,
    seconds=nothing_more,
    megabytes=nothing_more,
)
