"""Questions about a system (the content of one file in config/systems) that several stages ask."""

from itertools import combinations_with_replacement

import numpy as np

from minset.units import R_CAL_MOL_K

# The potential as Fumi and Tosi wrote it, and the same with the sign of D that LAMMPS inputs of
# several published data sets carry (D enters LAMMPS's pair_style born with the opposite sign).
POTENTIALS = {"bmhtf": -1.0, "bmhtf-published-sign": +1.0}


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
            f"{ions} ions do not make whole formula units of {system['name']}; "
            f"use a multiple of {ions_per_formula(system)}"
        )
    return [symbol for symbol, s in system["species"].items() for _ in range(s["count"] * units)]


def pair_names(system: dict) -> list[str]:
    """Names like ``K-Cl`` of all species pairs, each once, in the order of the species."""
    return ["-".join(p) for p in combinations_with_replacement(species_of(system), 2)]


def pair_parameters(system: dict, first: str, second: str) -> dict:
    """Tosi-Fumi parameters of a pair, whichever way round the system file names it."""
    pairs = system["potential"]["pairs"]
    return pairs.get(f"{first}-{second}") or pairs[f"{second}-{first}"]


def closest_physical_A(system: dict) -> dict[str, float]:
    """Distance per pair below which a configuration is unphysical: 0.6 sigma of the potential, in A.

    In pools of KCl up to 1700 K unlike ions stay beyond 0.8 sigma; the classical potential's own
    barrier against collapse lies at about 0.4 sigma.
    """
    return {
        name: 0.6 * pair_parameters(system, *name.split("-"))["sigma_A"]
        for name in pair_names(system)
    }


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


def density_fit_at(system: dict, temperature_K: float) -> dict | None:
    """First density fit of the system file that is valid at a temperature."""
    for fit in system.get("reference", {}).get("density", []):
        if fit["min_K"] <= temperature_K <= fit["max_K"]:
            return fit
    return None


def _valid(fit: dict, T, value):
    return np.where((fit["min_K"] <= T) & (T <= fit["max_K"]), value, np.nan)
