"""Mistakes of a study's simulations, and the density at which they start."""

import contextlib
from pathlib import Path

from minset.config.certificate_checks import certificate_mistakes
from minset.config.registries import registry
from minset.system import (
    composition,
    density_fit_at,
    mass_of,
    reference_density_g_cm3,
)
from minset.units import volume_A3


def cell_edge_A(system: dict, ions: int, density: float) -> float:
    """Edge of the cube that holds ``ions`` ions at a density in g/cm^3."""
    return volume_A3(mass_of(system, composition(system, ions)), density) ** (1 / 3)


def simulation_density(system: dict, simulation: dict) -> float | None:
    """Density in g/cm^3 at which a simulation starts; None for that of a frame of the pool."""
    if simulation["density_g_cm3"] == "pool":
        return None
    if simulation["density_g_cm3"] != "experiment":
        return simulation["density_g_cm3"]
    fit = density_fit_at(system["reference"]["density"], simulation["temperature_K"])
    return float(reference_density_g_cm3(fit, simulation["temperature_K"]))


def observable_options(study: dict, name: str) -> dict:
    """Options of an observable in a study, with those that it shares with others."""
    sources = (*getattr(registry("observables")[name], "options_of", ()), name)
    return {key: value for source in sources for key, value in study.get(source, {}).items()}


def simulation_mistakes(study: dict, system: dict, name: str, system_path: Path) -> list[str]:
    """Mistakes of one simulation in view of a system, each beginning with its key."""
    simulation = study["simulations"][name]
    if simulation["start"] == "melt" and "potential" not in study["pool"]:
        return [f"simulations.{name}.start: a melt needs the pool's potential; take `start: pool`"]
    density = _density_mistakes(system, simulation, system_path)
    mistakes = (
        _sampling_mistakes(simulation)
        + density
        + _observable_mistakes(study, system, simulation, not density)
    )
    mistakes += _choice_mistakes(study, simulation) + certificate_mistakes(study, name)
    return [f"simulations.{name}.{m}" for m in mistakes]


def _sampling_mistakes(simulation: dict) -> list[str]:
    """Frames of the trajectory farther apart than it is long."""
    every, duration = simulation["sample_ps"], simulation["duration_ps"]
    if every <= duration:
        return []
    return [
        f"sample_ps: a frame every {every:g} ps, and the run ends after {duration:g} ps (duration_ps); "
        f"give at most {duration / 10:g}"
    ]


def _density_mistakes(system: dict, simulation: dict, system_path: Path) -> list[str]:
    """A density that is to come from a fit, where there is none for the system or the temperature."""
    temperature, fits = simulation["temperature_K"], system["reference"]["density"]
    if simulation["density_g_cm3"] == "pool" and simulation["start"] == "melt":
        return ["density_g_cm3: `pool` needs `start: pool`; a melt needs a number or `experiment`"]
    if simulation["density_g_cm3"] != "experiment" or density_fit_at(fits, temperature):
        return []
    if not fits:
        return [
            f"density_g_cm3: `experiment` needs a fit in reference.density of {system_path}, and "
            "there is none; add one with its source, or give density_g_cm3 as a number"
        ]
    ranges = ", ".join(f"{f['name']} {f['min_K']:g}-{f['max_K']:g} K" for f in fits)
    return [
        f"temperature_K: {temperature:g} K is outside every density fit of {system['name']} "
        f"({ranges}); change it or give density_g_cm3 as a number"
    ]


def _observable_mistakes(
    study: dict, system: dict, simulation: dict, known_density: bool
) -> list[str]:
    """Observables that the ensemble does not allow, and what those that it allows find themselves."""
    mistakes, ensemble = [], simulation["ensemble"]
    edge_A = None
    density = simulation_density(system, simulation) if known_density else None
    # numbers of ions that make no whole formula units are a mistake of their own
    with contextlib.suppress(ValueError):
        if density:
            edge_A = cell_edge_A(system, simulation["ions"], density)
    for name in simulation["observables"]:
        record = registry("observables")[name]
        if ensemble not in record.ensembles:
            needed = " or ".join(sorted(record.ensembles))
            mistakes.append(
                f"observables: {name} needs a run in {needed}, and this one is in {ensemble}; take "
                f"{name} away, or the whole key for all that {ensemble} allows"
            )
        else:
            mistakes += record.mistakes(observable_options(study, name), simulation, edge_A)
    return mistakes


def _choice_mistakes(study: dict, simulation: dict) -> list[str]:
    """Models that a simulation asks for and the study does not have."""
    mistakes = []
    for key in ("sizes", "selectors", "seeds", "models"):
        known = [*study[key], *(study["more_seeds"]["seeds"] if key == "seeds" else [])]
        for value in simulation.get(key, []):
            if value not in known:
                names = ", ".join(map(str, known))
                mistakes.append(f"{key}: {value} is not among the study's {key} ({names})")
    most = max(model["members"] for model in study["models"].values())
    for member in simulation["members"]:
        if member == "mean":
            if most == 1:
                mistakes.append(
                    "members: there is no committee of which this could be the mean; raise `members` of "
                    "a model"
                )
            elif "certificate" in simulation:
                mistakes.append(
                    "members: certificates are of single models, not of the mean of a committee; take "
                    "`certificate` away, or another simulation for the mean"
                )
        elif member > most:
            mistakes.append(
                f"members: {member} is more than the members of any model ({most}); raise "
                "`members` of a model"
            )
    return mistakes
