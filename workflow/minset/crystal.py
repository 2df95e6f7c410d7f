"""Crystals of a system: which there are of its species, and the lattice constants at which they start.

A system file may name one crystal (``crystal``: ``structure``, ``a_A`` and for hcp ``c_A``); of an
element without, it is that of ASE's table. The others start with its volume per atom.
"""

import math
from dataclasses import dataclass

from ase import Atoms
from ase.data import atomic_numbers, reference_states

from minset.system import atoms_of, mole_fractions, name_of, species_of

IDEAL_C_OVER_A = math.sqrt(8 / 3)


@dataclass(frozen=True)
class Structure:
    """A crystal structure of one or two species.

    Attributes
    ----------
    lattice
        Its name in ``ase.build.bulk``.
    species
        Number of species, with as many atoms of each.
    relative_volume
        Volume per atom at the start, relative to the usual crystal's.
    cubic
        Whether symmetry leaves it one lattice constant.
    held
        Whether a ratio c/a that is no minimum is held.
    """

    lattice: str
    species: int
    relative_volume: float = 1.0
    cubic: bool = True
    held: bool = False


STRUCTURES = {
    "fcc": Structure("fcc", 1),
    "hcp": Structure("hcp", 1, cubic=False),
    "hcp_fixed": Structure("hcp", 1, cubic=False, held=True),
    "bcc": Structure("bcc", 1),
    "rocksalt": Structure("rocksalt", 2),
    # eight neighbours are 3 % farther than six, and fill space better
    "cesiumchloride": Structure("cesiumchloride", 2, 0.84),
}
GIVEN = [name for name, structure in STRUCTURES.items() if not structure.held]


def crystal_needs(system: dict) -> str:
    """Why a system has no crystals here; empty if it has."""
    try:
        fractions = mole_fractions(system)
    except ValueError as error:
        return str(error)
    counts = [atoms_of(formula) for formula in fractions]
    if len(counts) > 1 or len(counts[0]) > 2 or len(set(counts[0].values())) > 1:
        return (
            f"there are crystals of one element, or of two with as many atoms of each, and "
            f"{name_of(system)} is neither"
        )
    if _usual(system) is None:
        return (
            f"no crystal of {name_of(system)} is known from which relaxations could start; add `crystal` "
            "to its file, such as {structure: fcc, a_A: 4.05}"
        )
    return ""


def structures_of(system: dict) -> list[str]:
    """Structures of as many species as a system has, the usual one first."""
    usual, species = _usual(system)["structure"], len(species_of(system))
    return sorted(
        (name for name, structure in STRUCTURES.items() if structure.species == species),
        key=lambda name: name != usual,
    )


def given_crystal_mistakes(system: dict) -> list[str]:
    """A crystal in a system file that cannot be the system's, one line, beginning with its key."""
    if "crystal" not in system:
        return []
    given, species = system["crystal"], len(system["species"])
    structure = STRUCTURES[given["structure"]]
    if structure.species != species:
        return [
            f"crystal.structure: {given['structure']} is of {structure.species} species, and the system "
            f"has {species}"
        ]
    if structure.cubic and "c_A" in given:
        return [f"crystal.c_A: {given['structure']} is cubic; take it away"]
    return []


def structure_mistakes(system: dict, structures: list[str]) -> list[str]:
    """Structures that a system has not, one line each."""
    known = structures_of(system)
    return [
        f"{name} is no crystal of {name_of(system)}; choose from {', '.join(known)}"
        for name in structures
        if name not in known
    ]


def crystal(system: dict, structure: str, c_over_a: float = IDEAL_C_OVER_A) -> Atoms:
    """Primitive cell of a structure of a system, with the lattice constants at which it starts.

    Parameters
    ----------
    system
        One of which `crystal_needs` says nothing.
    structure
        One of `structures_of`.
    c_over_a
        Ratio that ``hcp_fixed`` keeps.
    """
    from ase.build import bulk

    usual, kind = _usual(system), STRUCTURES[structure]
    symbols = "".join(species_of(system))
    if structure == usual["structure"]:
        return bulk(symbols, kind.lattice, a=usual["a_A"], c=usual.get("c_A"))
    own = _volume_A3(usual["structure"], usual["a_A"], usual.get("c_A"))
    volume = own * kind.relative_volume / STRUCTURES[usual["structure"]].relative_volume
    ratio = c_over_a if kind.held else IDEAL_C_OVER_A
    a = (volume / _volume_A3(structure, 1.0, ratio)) ** (1 / 3)
    return bulk(symbols, kind.lattice, a=a, c=None if kind.cubic else ratio * a)


def conventional_cell(system: dict) -> Atoms:
    """Right-angled cell of the usual crystal of a system, with its lattice constants at rest.

    Parameters
    ----------
    system
        One of which `crystal_needs` says nothing.
    """
    from ase.build import bulk

    usual = _usual(system)
    kind, symbols = STRUCTURES[usual["structure"]], "".join(species_of(system))
    shape = {"cubic": True} if kind.cubic else {"orthorhombic": True}
    return bulk(symbols, kind.lattice, a=usual["a_A"], c=usual.get("c_A"), **shape)


def lattice_constants_A(structure: str, atoms: Atoms) -> tuple[float, float]:
    """Lattice constants a and c, c that of a where the structure is cubic, from its primitive cell."""
    a, _, c = atoms.cell.lengths()
    if STRUCTURES[structure].cubic:
        volume = atoms.cell.volume / len(atoms)
        a = c = (volume / _volume_A3(structure, 1.0)) ** (1 / 3)
    return float(a), float(c)


def _volume_A3(structure: str, a: float, c: float | None = None) -> float:
    """Volume per atom in A^3 from lattice constants in A; of hcp with the ideal ratio where c is None."""
    if not STRUCTURES[structure].cubic:
        return math.sqrt(3) / 4 * a**2 * (c or IDEAL_C_OVER_A * a)
    atoms = {"fcc": 4, "bcc": 2, "rocksalt": 8, "cesiumchloride": 2}
    return a**3 / atoms[structure]


def _usual(system: dict) -> dict | None:
    """The crystal that a system file names, or that of ASE's table of elements; None without one."""
    if "crystal" in system:
        return system["crystal"]
    first = species_of(system)[0]
    reference = reference_states[atomic_numbers[first]] or {}
    if len(species_of(system)) > 1 or reference.get("symmetry") not in GIVEN:
        return None
    usual = {"structure": reference["symmetry"], "a_A": reference["a"]}
    return usual | ({"c_A": reference["a"] * reference["c/a"]} if "c/a" in reference else {})
