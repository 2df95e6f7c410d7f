"""Born-Mayer-Huggins-Tosi-Fumi potential of molten salts, with P3M electrostatics.

U(r) = q_i q_j / (4 pi eps0 r) + A exp[(sigma - r)/rho] - C/r^6 - D/r^8 (Fumi and Tosi, J. Phys. Chem.
Solids 25, 31 and 45, 1964).
"""

from minset.potential.record import Potential
from minset.system import pair_names, species_of

CUTOFF_A = 12.0
KSPACE_ACCURACY = 1e-5

_POSITIVE = {"type": "number", "exclusiveMinimum": 0}
OPTIONS = {
    "pairs": {
        "type": "object",
        "description": "A exp[(sigma - r)/rho] - C/r^6 - D/r^8 for every pair of species",
        "propertyNames": {
            "type": "string",
            "pattern": "^[A-Z][a-z]?-[A-Z][a-z]?$",
            "description": "it must be two element symbols like K-Cl",
        },
        "additionalProperties": {
            "type": "object",
            "additionalProperties": False,
            "required": ["A_eV", "rho_A", "sigma_A", "C_eV_A6", "D_eV_A8"],
            "properties": {
                "A_eV": _POSITIVE,
                "rho_A": _POSITIVE,
                "sigma_A": _POSITIVE,
                "C_eV_A6": {"type": "number", "minimum": 0},
                "D_eV_A8": {
                    "type": "number",
                    "minimum": 0,
                    "description": "Physical sign: positive attracts",
                },
            },
        },
    },
    "published_sign": {
        "type": "boolean",
        "default": False,
        "description": "D with the sign that LAMMPS inputs of several published data sets carry; "
        "false is the physical one",
    },
}


def parameters_of(value: dict, first: str, second: str) -> dict:
    """Parameters of a pair, whichever way round the potential names it."""
    pairs = value["pairs"]
    return pairs.get(f"{first}-{second}") or pairs[f"{second}-{first}"]


def commands(system: dict) -> list[str]:
    """LAMMPS commands; ``born`` is A exp[(sigma-r)/rho] - C/r^6 + D/r^8, so D enters negative."""
    value = system["potential"]
    sign = 1.0 if value["published_sign"] else -1.0
    order = {s: i + 1 for i, s in enumerate(species_of(system))}
    lines = [f"pair_style born/coul/long {CUTOFF_A}", f"kspace_style pppm {KSPACE_ACCURACY}"]
    for name in pair_names(species_of(system)):
        first, second = name.split("-")
        p = parameters_of(value, first, second)
        i, j = sorted((order[first], order[second]))
        lines.append(
            f"pair_coeff {i} {j} {p['A_eV']} {p['rho_A']} {p['sigma_A']} "
            f"{p['C_eV_A6']} {sign * p['D_eV_A8']}"
        )
    return lines


def contact_A(system: dict, a: str, b: str) -> float:
    """sigma of the pair, the sum of the ionic radii."""
    return parameters_of(system["potential"], a, b)["sigma_A"]


def mistakes(value: dict, species: list[str]) -> list[str]:
    """Pairs that are missing, of unknown species, or there twice."""
    pairs, found = value["pairs"], []
    named = {frozenset(name.split("-")) for name in pairs}
    for name in pair_names(species):
        if frozenset(name.split("-")) not in named:
            found.append(f"pairs: parameters of {name} are missing")
    for name in pairs:
        if unknown := sorted(set(name.split("-")) - set(species)):
            found.append(f"pairs.{name}: {', '.join(unknown)} is not in species")
        other = "-".join(reversed(name.split("-")))
        if name > other and other in pairs:
            found.append(f"pairs.{name}: the same pair as {other}; keep one")
    return found


RECORD = Potential(
    options=OPTIONS,
    required=("pairs",),
    commands=commands,
    contact_A=contact_A,
    mistakes=mistakes,
    needs_charges=True,
)
