"""Questions about a system that several stages ask.

A system is the content of one file in config/systems, or the part of it that molecular dynamics needs:
``species`` (``charge`` in e, 0 when absent, ``mass_u``, and ``count`` in a formula unit), of a mixture
``composition`` (mole fractions of formula units, instead of ``count``), and ``potential``.
"""

import math
from itertools import combinations_with_replacement, product

import numpy as np
from ase.data import atomic_numbers, covalent_radii
from ase.formula import Formula

from minset.units import R_CAL_MOL_K

_MOST_TRIALS = 200_000  # half a second


def species_of(system: dict) -> list[str]:
    """Element symbols in the order of the system file; LAMMPS types are this order, from 1."""
    return list(system["species"])


def mole_fractions(system: dict) -> dict[str, float]:
    """Mole fractions of the formula units, by formula; a plain compound has one, with 1.

    Raises
    ------
    ValueError
        If the system does not say what it is made of.
    """
    if "composition" in system:
        total = sum(system["composition"].values())
        return {name: x / total for name, x in system["composition"].items()}
    counts = {symbol: s["count"] for symbol, s in system["species"].items() if "count" in s}
    if len(counts) < len(system["species"]):
        raise ValueError(
            f"what {name_of(system)} is made of is not told; add `count` to each of its species, or "
            "`composition` with mole fractions of formula units"
        )
    return {str(Formula.from_dict(counts)): 1.0}


def atoms_of(formula: str) -> dict[str, int]:
    """Numbers of atoms of each element in a formula unit.

    Raises
    ------
    ValueError
        If it is no chemical formula.
    """
    return Formula(formula).count()


def formula_units(system: dict, ions: int) -> dict[str, int]:
    """Whole numbers of formula units that make ``ions`` ions, by formula, at least one of each.

    Of all that do, those whose mole fractions are nearest to the system's: whose largest deviation
    is smallest, then the sum of squared deviations.

    Raises
    ------
    ValueError
        If none do, with the nearest numbers of ions that work.
    """
    fractions = mole_fractions(system)
    # sorted, so that of equally near ones the same are taken whatever the order in the file
    sizes = {name: sum(atoms_of(name).values()) for name in sorted(fractions)}
    wanted = list(sizes.values()), [fractions[name] for name in sizes]
    if (trials := math.prod(2 * reach + 1 for reach in _reaches(*wanted))) > _MOST_TRIALS:
        raise ValueError(
            f"so many formula units so large ({', '.join(fractions)}) can be mixed in {trials} ways; "
            "give fewer or smaller ones"
        )
    if (units := _nearest_units(*wanted, ions)) is None:
        span = 2 * sum(sizes.values())
        below, above = range(ions - 1, max(0, ions - span), -1), range(ions + 1, ions + span)
        whole = [_first_whole(*wanted, numbers) for numbers in (below, above)]
        raise ValueError(
            f"{ions} ions do not make whole formula units of {name_of(system)}; "
            f"use {' or '.join(str(number) for number in whole if number)}"
        )
    found = dict(zip(sizes, units, strict=True))
    return {name: found[name] for name in fractions}


def _first_whole(sizes: list[int], fractions: list[float], numbers: range) -> int | None:
    """First of some numbers of ions that are whole formula units."""
    return next((n for n in numbers if _nearest_units(sizes, fractions, n) is not None), None)


def _reaches(sizes: list[int], fractions: list[float]) -> list[int]:
    """How far numbers of formula units can be from the exact ones, each; 0 for the most frequent.

    The exchange of one formula for the most frequent one at equal ions, and two for rounding. So the
    nearest were found in 5000 random mixtures of up to four formulas of up to ten atoms.
    """
    most = fractions.index(max(fractions))
    reaches = [2 + sizes[most] // math.gcd(size, sizes[most]) for size in sizes]
    return [0 if k == most else reach for k, reach in enumerate(reaches)]


def _nearest_units(sizes: list[int], fractions: list[float], ions: int) -> list[int] | None:
    """Numbers of formula units of given sizes, see `formula_units`; None if there are none.

    All but those of the most frequent formula are tried near the numbers that would be exact, which
    leaves that one no choice.
    """
    most = fractions.index(max(fractions))
    total = ions / sum(x * size for x, size in zip(fractions, sizes, strict=True))
    centers = [max(1, int(x * total)) for x in fractions]
    tried = [
        range(max(1, center - reach), center + reach + 1) if k != most else (0,)
        for k, (center, reach) in enumerate(zip(centers, _reaches(sizes, fractions), strict=True))
    ]
    best, least = None, (math.inf, math.inf)
    for trial in product(*tried):
        left = ions - sum(n * size for n, size in zip(trial, sizes, strict=True))
        if left <= 0 or left % sizes[most]:
            continue
        units = [left // sizes[most] if k == most else n for k, n in enumerate(trial)]
        off = [abs(n / sum(units) - x) for n, x in zip(units, fractions, strict=True)]
        # rounded, so that equally near ones are equal on every machine, and the first is taken
        deviation = (round(max(off), 12), round(sum(d * d for d in off), 12))
        if deviation < least:
            best, least = units, deviation
    return best


def composition(system: dict, ions: int) -> list[str]:
    """Symbols of ``ions`` ions in whole formula units, species by species.

    Raises
    ------
    ValueError
        If ``ions`` make no whole formula units, or the system does not say what it is made of.
    """
    units = formula_units(system, ions)
    counts = [(atoms_of(name), number) for name, number in units.items()]
    return [
        symbol
        for symbol in species_of(system)
        for _ in range(sum(atoms.get(symbol, 0) * number for atoms, number in counts))
    ]


def largest_deviation(system: dict, ions: int) -> float:
    """Of the mole fractions that ``ions`` ions allow, from those of the system."""
    units, wanted = formula_units(system, ions), mole_fractions(system)
    return max(abs(n / sum(units.values()) - wanted[name]) for name, n in units.items())


def composition_in_words(system: dict, ions: int) -> str:
    """Like ``64 ions: 19 LiCl + 13 KCl (mole fractions 0.594, 0.406; asked for 0.592, 0.408)``."""
    units, wanted = formula_units(system, ions), mole_fractions(system)
    charged = any(s.get("charge") for s in system["species"].values())
    parts = " + ".join(f"{number} {name}" for name, number in units.items())
    words = f"{ions} {'ions' if charged else 'atoms'}: {parts}"
    if len(units) == 1:
        return words
    found = ", ".join(f"{n / sum(units.values()):.3f}" for n in units.values())
    asked = ", ".join(f"{x:.3f}" for x in wanted.values())
    return f"{words} (mole fractions {found}; asked for {asked})"


def name_of(system: dict) -> str:
    """Name of a system in messages: its own, else its formula unit's elements."""
    return system.get("name") or "".join(species_of(system))


def charge_of(system: dict, symbol: str) -> float:
    """Charge of a species in e; 0 where the system has none."""
    return float(system["species"][symbol].get("charge", 0.0))


def pair_names(species: list[str]) -> list[str]:
    """Names like ``K-Cl`` of all species pairs, each once, in the order of the species."""
    return ["-".join(p) for p in combinations_with_replacement(species, 2)]


def covalent_contact_A(a: str, b: str) -> float:
    """Sum of the covalent radii of two elements in A (Cordero et al., Dalton Trans. 2832, 2008)."""
    return float(covalent_radii[atomic_numbers[a]] + covalent_radii[atomic_numbers[b]])


def mass_of(system: dict, symbols: list[str]) -> float:
    """Total mass in u."""
    return float(sum(system["species"][s]["mass_u"] for s in symbols))


def reference_density_g_cm3(fit: dict, temperature_K):
    """Density fit rho = a - b T; NaN where T is outside the fit's validity."""
    T = np.asarray(temperature_K, dtype=float)
    return _valid(fit, T, fit["a_g_cm3"] - fit["b_g_cm3_K"] * T)


def reference_diffusion_1e9_m2_s(fit: dict, temperature_K):
    """Self-diffusion D0 exp(-E/RT) in 1e-9 m^2/s; NaN where T is outside the fit's validity."""
    T = np.asarray(temperature_K, dtype=float)
    # 1 cm^2/s = 1e5 x 1e-9 m^2/s
    return _valid(fit, T, fit["D0_cm2_s"] * np.exp(-fit["E_cal_mol"] / (R_CAL_MOL_K * T)) * 1e5)


def reference_conductivity_S_cm(fit: dict, temperature_K):
    """Ionic conductivity c0 + c1 T + c2 T^2 in S/cm; NaN where T is outside the fit's validity."""
    T = np.asarray(temperature_K, dtype=float)
    value = fit["c0_S_cm"] + fit["c1_S_cm_K"] * T + fit["c2_S_cm_K2"] * T**2
    return _valid(fit, T, value)


def density_fit_at(fits: list, temperature_K: float) -> dict | None:
    """First of a system's density fits that is valid at a temperature."""
    for fit in fits:
        if fit["min_K"] <= temperature_K <= fit["max_K"]:
            return fit
    return None


def start_density_g_cm3(fits: list, temperature_K: float) -> float:
    """Density at which a melt can start: the experimental one, 80 % of it above the fits' range.

    Parameters
    ----------
    fits
        ``reference.density`` of the system. The first that is valid at the temperature counts; where
        none is, the first one's value at the nearer end of its range.
    """
    fit = density_fit_at(fits, temperature_K) or fits[0]
    inside = min(max(temperature_K, fit["min_K"]), fit["max_K"])
    density = float(reference_density_g_cm3(fit, inside))
    return density * 0.8 if temperature_K > inside else density


def _valid(fit: dict, T, value):
    return np.where((fit["min_K"] <= T) & (T <= fit["max_K"]), value, np.nan)
