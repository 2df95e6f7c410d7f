"""Questions about a system that several stages ask.

A system is the content of one file in config/systems, or the part of it that molecular dynamics needs:
``species`` (``charge`` in e, 0 when absent, ``mass_u``, ``count`` in a formula unit) and ``potential``.
"""

from itertools import combinations_with_replacement

import numpy as np
from ase.data import atomic_numbers, covalent_radii

from minset.units import R_CAL_MOL_K


def species_of(system: dict) -> list[str]:
    """Element symbols in the order of the system file; LAMMPS types are this order, from 1."""
    return list(system["species"])


def ions_per_formula(system: dict) -> int:
    """Number of ions in one formula unit."""
    return sum(s["count"] for s in system["species"].values())


def composition(system: dict, ions: int) -> list[str]:
    """Symbols of ``ions`` ions in stoichiometric numbers, species by species.

    Raises
    ------
    ValueError
        If ``ions`` is not a multiple of the formula unit.
    """
    units, rest = divmod(ions, ions_per_formula(system))
    if rest or units < 1:
        raise ValueError(
            f"{ions} ions do not make whole formula units of {name_of(system)}; "
            f"use a multiple of {ions_per_formula(system)}"
        )
    return [symbol for symbol, s in system["species"].items() for _ in range(s["count"] * units)]


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
