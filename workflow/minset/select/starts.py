"""Structures from which molecular dynamics of a selector start: crystals, slabs, frames of the pool."""

import numpy as np
from ase import Atoms

from minset.crystal import GIVEN, STRUCTURES, crystal, crystal_needs, structures_of
from minset.observe.crystals import Relaxed
from minset.observe.surface_energy import FACETS, slab
from minset.pool.store import read_frames
from minset.system import name_of

POOL = "pool"
STARTS = {
    "type": "object",
    "minProperties": 1,
    "propertyNames": {"pattern": "^[A-Za-z0-9_]+$", "maxLength": 60},
    "description": "Structures from which walkers start, by names of your own; walkers take turns",
    "additionalProperties": {
        "type": "object",
        "additionalProperties": False,
        "required": ["from"],
        "properties": {
            "from": {
                "enum": [*GIVEN, *FACETS, POOL],
                "description": "A crystal of the system, a surface of one, or frames of the pool",
            },
            "repeat": {
                "type": "array",
                "minItems": 2,
                "maxItems": 3,
                "items": {"type": "integer", "minimum": 1, "maximum": 50},
                "description": "Cells along each direction, three of a crystal (3 each when absent), two "
                "of a slab (4 each); cells of cubic crystals are cubes",
            },
            "layers": {
                "type": "integer",
                "minimum": 4,
                "maximum": 100,
                "default": 6,
                "description": "Layers of atoms of a slab",
            },
            "vacuum_A": {
                "type": "number",
                "exclusiveMinimum": 0,
                "default": 12.0,
                "description": "Between a slab and its image",
            },
            "strain_percent": {
                "type": "number",
                "minimum": -20,
                "maximum": 20,
                "default": 0.0,
                "description": "By which the lattice constants of a crystal or a slab are longer",
            },
        },
    },
}


def start_of(
    settings: dict, system: dict, pool, candidates: np.ndarray, rng: np.random.Generator
) -> Atoms:
    """Structure from which a walker starts.

    Parameters
    ----------
    settings
        One of `STARTS`, complete.
    system
        ``species``, and ``crystal`` where its file names one.
    pool, candidates
        Pool file, and the indices of which one is drawn.
    rng
        Draws it.
    """
    kind, scale = settings["from"], 1 + settings["strain_percent"] / 100
    if kind == POOL:
        (frame,) = read_frames(pool, [rng.choice(candidates)])
        atoms = Atoms(frame.symbols, positions=frame.positions, cell=frame.cell, pbc=True)
    elif kind in FACETS:
        structure = FACETS[kind].structure
        cell = _scaled(crystal(system, structure), scale)
        layers, vacuum_A = settings["layers"], settings["vacuum_A"]
        atoms = slab(kind, Relaxed(structure, cell), layers, vacuum_A)
        atoms = atoms.repeat((*settings.get("repeat", (4, 4)), 1))
    else:
        atoms = _scaled(_cell(system, kind), scale).repeat(settings.get("repeat", (3, 3, 3)))
    return atoms


def _scaled(atoms: Atoms, scale: float) -> Atoms:
    atoms.set_cell(atoms.cell * scale, scale_atoms=True)
    return atoms


def _cell(system: dict, structure: str) -> Atoms:
    """Cell of a crystal at the lattice constants at which it starts; of a cubic one the cube."""
    from ase.build import bulk

    primitive = crystal(system, structure)
    if structure not in ("fcc", "bcc", "rocksalt"):
        return primitive
    volume_A3 = primitive.cell.volume / len(primitive)
    atoms_of_cube = {"fcc": 4, "bcc": 2, "rocksalt": 8}[structure]
    symbols = "".join(dict.fromkeys(primitive.get_chemical_symbols()))
    a = (volume_A3 * atoms_of_cube) ** (1 / 3)
    return bulk(symbols, STRUCTURES[structure].lattice, a=a, cubic=True)


def start_mistakes(starts: dict, system: dict, cutoff_A: float) -> list[str]:
    """Starts that a system does not have, and a vacuum through which models see, one line each."""
    mistakes = []
    for name, settings in starts.items():
        kind, where = settings["from"], f"starts.{name}"
        if kind == POOL:
            if "repeat" in settings:
                mistakes.append(f"{where}.repeat: frames of the pool are taken as they are")
            continue
        if reason := crystal_needs(system):
            mistakes.append(f"{where}.from: {reason}")
            continue
        structure = FACETS[kind].structure if kind in FACETS else kind
        if structure not in structures_of(system):
            known = [k for k in (*GIVEN, *FACETS) if _structure(k) in structures_of(system)]
            mistakes.append(
                f"{where}.from: {kind} is none of {name_of(system)}; choose from {', '.join(known)}, "
                f"{POOL}"
            )
        directions = 2 if kind in FACETS else 3
        if len(settings.get("repeat", [0] * directions)) != directions:
            mistakes.append(f"{where}.repeat: of {kind} {directions} numbers of cells are needed")
        if kind in FACETS and settings["vacuum_A"] < cutoff_A:
            mistakes.append(
                f"{where}.vacuum_A: {settings['vacuum_A']:g} A is less than the models' cutoff of "
                f"{cutoff_A:g} A, so a slab would feel its image; take a vacuum beyond it"
            )
    return mistakes


def _structure(kind: str) -> str:
    return FACETS[kind].structure if kind in FACETS else kind
