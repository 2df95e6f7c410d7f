"""Mistakes of what a system is made of: counts of its species, or mole fractions of formula units."""

import math

from minset.system import atoms_of, mole_fractions

_MOST_ATOMS = 1000  # of a formula unit


def composition_mistakes(system: dict) -> list[str]:
    """Of ``count`` and ``composition``, each beginning with its key; none where neither is there."""
    species = system["species"]
    counted = [symbol for symbol, s in species.items() if "count" in s]
    if counted and "composition" in system:
        return [
            f"composition: species have `count` as well; keep `composition`, and take `count` away "
            f"from {' and '.join(f'species.{s}' for s in counted)}"
        ]
    if counted and len(counted) < len(species):
        missing = " and ".join(f"species.{s}" for s in species if s not in counted)
        return [f"species: other species have `count`; add it to {missing}"]
    if not counted and "composition" not in system:
        return []
    where = "species: one formula unit" if counted else "composition.{}: it"
    mistakes = _formula_mistakes(system)
    return mistakes or [
        f"{where.format(formula)} has a charge of {charge:+g} e, it must be 0"
        for formula in mole_fractions(system)
        if abs(charge := _charge_of(system, formula)) > 1e-9
    ]


def _formula_mistakes(system: dict) -> list[str]:
    """Formulas that are none or hold other elements, species in none of them, and a wrong sum."""
    if "composition" not in system:
        return []
    mistakes, there = [], set()
    for formula in system["composition"]:
        try:
            atoms = atoms_of(formula)
        except ValueError:
            atoms = {}
        if sum(atoms.values()) > _MOST_ATOMS:
            mistakes.append(
                f"composition.{formula}: a formula unit has at most {_MOST_ATOMS} atoms"
            )
        if not atoms:
            mistakes.append(f"composition.{formula}: this is no formula; write it like MgCl2")
        for symbol in sorted(set(atoms) - set(system["species"])):
            mistakes.append(f"composition.{formula}: {symbol} is not in species")
        there |= set(atoms)
    if mistakes:
        return mistakes
    mistakes += [
        f"species.{symbol}: it is in no formula of `composition` "
        f"({', '.join(system['composition'])}); take it away, or add a formula that holds it"
        for symbol in system["species"]
        if symbol not in there
    ]
    total = math.fsum(system["composition"].values())
    if abs(total - 1) > 1e-3:
        mistakes.append(f"composition: the mole fractions sum to {total:g}, they must sum to 1")
    return mistakes


def _charge_of(system: dict, formula: str) -> float:
    charges = {symbol: s.get("charge", 0) for symbol, s in system["species"].items()}
    return math.fsum(charges[symbol] * n for symbol, n in atoms_of(formula).items())
