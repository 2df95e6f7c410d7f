"""Born-Mayer-Huggins-Tosi-Fumi potential of molten salts, with P3M electrostatics.

U(r) = q_i q_j / (4 pi eps0 r) + A exp[(sigma - r)/rho] - C/r^6 - D/r^8 (Fumi and Tosi, J. Phys. Chem.
Solids 25, 31 and 45, 1964). Parameters are those of every pair, or those of salts with a mixing rule.
"""

from minset.potential.mixing import RULES, mixed_pairs
from minset.potential.record import Potential
from minset.system import atoms_of, mole_fractions, pair_names, species_of
from minset.units import KJ_MOL_EV

CUTOFF_A = 12.0
KSPACE_ACCURACY = 1e-5

_POSITIVE = {"type": "number", "exclusiveMinimum": 0}
_PAIRS = {
    "type": "object",
    "minProperties": 1,
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
}
OPTIONS = {
    "pairs": _PAIRS,
    "salts": {
        "type": "object",
        "minProperties": 1,
        "description": "Of a mixture, instead of `pairs`: those of each salt in the system's "
        "`composition`, by its formula",
        "additionalProperties": _PAIRS,
    },
    "mixing": {
        "enum": list(RULES),
        "description": "Rule by which salts mix: that of Wang et al., J. Mol. Liq. 209, 498 (2015), "
        "as in AL4GAP, J. Chem. Phys. 159, 024802 (2023): 1/rho = sum x/rho, mole-fraction averages "
        "for pairs of the salts, geometric means of C and D for others, with Tosi and Fumi's A and sigma",
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
    """Pairs that are missing, of unknown species, or there twice; salts without a rule."""
    if "salts" in value:
        if "pairs" in value:
            return ["pairs: there are `salts` as well; keep `pairs`, or `salts` with `mixing`"]
        if "mixing" not in value:
            return [
                f"mixing: `salts` need a rule by which they mix; choose from {', '.join(RULES)}"
            ]
        return [
            f"salts.{m}"
            for salt, pairs in value["salts"].items()
            for m in _mistakes_of_salt(salt, pairs, species)
        ]
    if "mixing" in value:
        return ["mixing: it mixes `salts`, and there are none; take it away, or give `salts`"]
    if "pairs" not in value:
        return ["pairs: missing; give parameters of every pair, or `salts` with `mixing`"]
    return [f"pairs{m}" for m in _pair_mistakes(value["pairs"], species)]


def _mistakes_of_salt(salt: str, pairs: dict, species: list[str]) -> list[str]:
    """Of a salt's formula and pairs, each beginning with the formula."""
    try:
        elements = list(atoms_of(salt))
    except ValueError:
        elements = []
    if not elements or not set(elements) <= set(species):
        return [f"{salt}: this must be a formula of {', '.join(species)}, as in `composition`"]
    if wrong := _pair_mistakes(pairs, elements):
        return [f"{salt}{m}" for m in wrong]
    if len({p["rho_A"] for p in pairs.values()}) > 1:
        return [f"{salt}: its pairs differ in rho_A; the rule takes one for each salt"]
    return []


def _pair_mistakes(pairs: dict, species: list[str]) -> list[str]:
    """Pairs that are missing, of other species, there twice, or in other units."""
    found = []
    named = {frozenset(name.split("-")) for name in pairs}
    for name in pair_names(species):
        if frozenset(name.split("-")) not in named:
            found.append(f": parameters of {name} are missing")
    for name in pairs:
        if unknown := sorted(set(name.split("-")) - set(species)):
            found.append(f".{name}: {', '.join(unknown)} is not in species")
        other = "-".join(reversed(name.split("-")))
        if name > other and other in pairs:
            found.append(f".{name}: the same pair as {other}; keep one")
    return found + [f".{name}.{m}" for name, p in pairs.items() for m in _unit_mistakes(p)]


def _unit_mistakes(p: dict) -> list[str]:
    """Parameters in kJ/mol or nm: of alkali halides A is 0.16 to 0.42 eV, sigma 1.6 to 3.9 A and rho
    0.28 to 0.43 A."""
    found = []
    if p["A_eV"] > 5:
        found.append(
            f"A_eV: {p['A_eV']:g} eV looks like kJ/mol: {p['A_eV']:g} kJ/mol are "
            f"{p['A_eV'] * KJ_MOL_EV:.4g} eV"
        )
    for key, least in (("sigma_A", 0.5), ("rho_A", 0.1)):
        if p[key] < least:
            found.append(f"{key}: {p[key]:g} A looks like nm: {p[key]:g} nm are {p[key] * 10:g} A")
    return found


def completed(value: dict, system: dict) -> dict:
    """Value with the pairs of the system's mixture instead of ``salts`` and ``mixing``.

    Raises
    ------
    ValueError
        If the salts are not those of the system's composition.
    """
    if "salts" not in value:
        return value
    salts, fractions = value["salts"], mole_fractions(system)
    if set(salts) != set(fractions):
        raise ValueError(
            f"salts: they are {', '.join(salts)}, and the system is made of {', '.join(fractions)}; "
            "give the pairs of these, under the same formulas"
        )
    rest = {key: v for key, v in value.items() if key not in ("salts", "mixing")}
    return rest | {"pairs": mixed_pairs(salts, fractions)}


RECORD = Potential(
    options=OPTIONS,
    commands=commands,
    contact_A=contact_A,
    mistakes=mistakes,
    completed=completed,
    needs_charges=True,
)
