"""Mistakes that are no numbers of this world: other units than the keys say, other elements' values."""

from ase.data import atomic_masses, atomic_numbers

from minset.system import density_fit_at, reference_density_g_cm3

_ALKALI = frozenset(["Li", "Na", "K", "Rb", "Cs", "Fr"])
_ALKALINE_EARTH = frozenset(["Be", "Mg", "Ca", "Sr", "Ba", "Ra"])
_HALOGENS = frozenset(["F", "Cl", "Br", "I", "At"])
_DENSEST_G_CM3 = 30.0  # osmium has 22.6


def mass_mistakes(species: dict) -> list[str]:
    """Masses more than 3 % off the element's standard atomic weight; isotopes of H are allowed."""
    mistakes = []
    for symbol, given in species.items():
        weight = float(atomic_masses[atomic_numbers[symbol]])
        mass = given["mass_u"]
        if abs(mass / weight - 1) <= 0.03 or (symbol == "H" and 1.0 <= mass <= 3.02):
            continue
        others = [s for s in species if s != symbol and _is_mass_of(s, mass)]
        whose = f", this is the mass of {others[0]}" if others else ""
        mistakes.append(
            f"species.{symbol}.mass_u: {mass:g} u{whose}; {symbol} has {weight:g} u, which is taken "
            "when the key is absent"
        )
    return mistakes


def _is_mass_of(symbol: str, mass: float) -> bool:
    return abs(mass / float(atomic_masses[atomic_numbers[symbol]]) - 1) <= 0.03


def charge_mistakes(species: dict) -> list[str]:
    """Charges that alkali metals, alkaline earths and halogens cannot have."""
    charges = {symbol: s["charge"] for symbol, s in species.items() if "charge" in s}
    low = [s for s, q in charges.items() if s in _ALKALI | _ALKALINE_EARTH and q < 0]
    # beside oxygen or fluorine another halogen may have a positive formal charge, as in chlorates
    oxidised = {"O", "F"} & charges.keys()
    high = [s for s, q in charges.items() if s in _HALOGENS and q > 0 and not oxidised - {s}]
    if low and high:
        return [f"species: charges of {' and '.join([*low, *high])} look swapped"]
    mistakes = [f"species.{s}.charge: {charges[s]:+g} e; {s} has a positive charge" for s in low]
    mistakes += [f"species.{s}.charge: {charges[s]:+g} e; {s} has a negative charge" for s in high]
    for group, most in ((_ALKALI, 1), (_ALKALINE_EARTH, 2)):
        mistakes += [
            f"species.{s}.charge: {q:+g} e; {s} has at most {most:+d} e"
            for s, q in charges.items()
            if s in group and q > most + 1e-9
        ]
    return mistakes


def fit_mistakes(fits: list[dict], melting_point_K: float | None) -> list[str]:
    """Density fits in Celsius or kg/m^3."""
    mistakes = []
    for number, fit in enumerate(fits):
        where = f"reference.density.{number}"
        density = float(reference_density_g_cm3(fit, fit["min_K"]))
        if density > _DENSEST_G_CM3:
            mistakes.append(f"{where}: {density:g} g/cm^3 at min_K; this looks like kg/m^3")
        if melting_point_K is None:
            continue
        for key, least in (("max_K", melting_point_K), ("min_K", 0.85 * melting_point_K)):
            if fit[key] < least:
                mistakes.append(
                    f"{where}.{key}: {fit[key]:g} K is far below the melting point, "
                    f"{melting_point_K:g} K; this looks like Celsius: {fit[key]:g} C are "
                    f"{fit[key] + 273.15:g} K"
                )
                break
    return mistakes


def density_mistakes(fits: list[dict], temperature_K: float, density_g_cm3: float) -> list[str]:
    """A density more than a factor of 2 off the system's fit."""
    if not fits:
        return []
    fit = density_fit_at(fits, temperature_K) or fits[0]
    inside = min(max(temperature_K, fit["min_K"]), fit["max_K"])
    usual = float(reference_density_g_cm3(fit, inside))
    if usual / 2 <= density_g_cm3 <= usual * 2:
        return []
    in_kg_m3 = usual / 2 <= density_g_cm3 / 1000 <= usual * 2
    unit = (
        f"; this looks like kg/m^3, which are {density_g_cm3 / 1000:g} g/cm^3" if in_kg_m3 else ""
    )
    return [
        f"density_g_cm3: {density_g_cm3:g} g/cm^3, and {fit['name']} has {usual:.3g} at "
        f"{inside:g} K{unit}; give the mass density in g/cm^3"
    ]
