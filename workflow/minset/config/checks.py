"""What a schema cannot see: mistakes of a system file, and of a study in view of a system."""

from pathlib import Path

from ase.data import atomic_numbers

from minset.config.certificate_checks import certificate_selector_mistakes
from minset.config.composition_checks import composition_mistakes
from minset.config.defaults import generator_needs_potential, needs_of_observable
from minset.config.model_checks import model_mistakes
from minset.config.plausibility import (
    charge_mistakes,
    density_mistakes,
    fit_mistakes,
    mass_mistakes,
)
from minset.config.pool_checks import pool_mistakes, pool_mistakes_of_system, pool_runs
from minset.config.registries import registry
from minset.config.simulation_checks import simulation_mistakes
from minset.crystal import given_crystal_mistakes
from minset.names import set_name
from minset.registry import defaults_of
from minset.system import composition


def system_mistakes(system: dict) -> list[str]:
    """Mistakes within one system file, each beginning with its key."""
    species = system["species"]
    unknown = [s for s in species if not atomic_numbers.get(s)]
    mistakes = [f"species.{s}: there is no such element" for s in unknown]
    for name, value in system["potentials"].items():
        record = registry("potentials")[value["potential"]]
        mistakes += [f"potentials.{name}.{m}" for m in record.mistakes(value, list(species))]
        neutral = [s for s in species if "charge" not in species[s]]
        if record.needs_charges and neutral:
            mistakes.append(
                f"potentials.{name}: {value['potential']} needs charges; add `charge` in e to "
                f"{' and '.join(f'species.{s}' for s in neutral)}"
            )
    mistakes += composition_mistakes(system) + charge_mistakes(species)
    mistakes += given_crystal_mistakes(system)
    if not unknown:
        mistakes += mass_mistakes(species)
    fits, melting = system["reference"]["density"], system.get("melting_point_K", {}).get("value")
    return mistakes + (_fit_mistakes(fits) or fit_mistakes(fits, melting))


def _fit_mistakes(fits: list[dict]) -> list[str]:
    """Density fits that hold nowhere or are not positive where they hold."""
    mistakes = []
    for number, fit in enumerate(fits):
        where = f"reference.density.{number}"
        if fit["min_K"] > fit["max_K"]:
            mistakes.append(f"{where}: min_K is above max_K")
        for limit in ("min_K", "max_K"):
            density = fit["a_g_cm3"] - fit["b_g_cm3_K"] * fit[limit]
            if density <= 0:
                mistakes.append(f"{where}: {density:g} g/cm^3 at {limit}, it must be positive")
    return mistakes


def study_mistakes(study: dict, system: dict, system_path: Path) -> list[str]:
    """Mistakes of a study in view of one of its systems, each beginning with its key."""
    mistakes = _composition_mistakes(study, system)
    mistakes += _potential_mistakes(study, system, system_path)
    mistakes += _density_mistakes(study, system)
    mistakes += pool_mistakes(study)
    if not mistakes:
        mistakes += pool_mistakes_of_system(study["pool"], system)
    descriptors = study["descriptors"]
    descriptor = registry("descriptors")[descriptors["descriptor"]]
    mistakes += [f"descriptors.{m}" for m in descriptor.mistakes(descriptors)]
    mistakes += model_mistakes(study, system)
    for name in study["selectors"]:
        mistakes += [f"selectors.{name}.{m}" for m in _selector_mistakes(study, name, system)]
    mistakes += _more_seeds_mistakes(study)
    labeler = registry("labelers")[study["labels"]["labeler"]]
    settings = study["labels"]["settings"]
    generator = registry("generators")[study["pool"]["generator"]]
    if labeler.needs_labels and not generator.has_labels:
        mistakes.append(
            f"labels.labeler: {labeler.name} takes labels that frames come with, and those of "
            f"{study['pool']['generator']} (pool.generator) have none of DFT; take frames from files, "
            "or another labeler"
        )
    mistakes += [f"{m} ({system_path})" for m in labeler.mistakes(system, settings)]
    mistakes += _engine_observable_mistakes(study, system)
    mistakes += _frames_observable_mistakes(study)
    for name in study["simulations"]:
        mistakes += simulation_mistakes(study, system, name, system_path)
    return mistakes


def observable_mistakes(study: dict, systems: dict[str, dict]) -> list[str]:
    """Observables of a study that cannot be computed for any of its systems."""
    mistakes = [
        f"simulations.{simulation}.observables: {name}: {reason}; take it away"
        for simulation, settings in study["simulations"].items()
        for name in settings["observables"]
        if (reason := needs_of_observable(name, systems))
    ]
    return mistakes + [
        f"{name}: {reason}"
        for name in _engine_observables(study)
        if (reason := needs_of_observable(name, systems))
    ]


def _engine_observables(study: dict) -> list[str]:
    """Observables of engines that a study asks for."""
    records = registry("observables").items()
    return [name for name, record in records if record.of == "engine" and name in study]


def _engine_observable_mistakes(study: dict, system: dict) -> list[str]:
    """What observables of engines find wrong with their options in view of a system."""
    return [
        f"{name}.{mistake}"
        for name in _engine_observables(study)
        for mistake in registry("observables")[name].mistakes(study[name], system, _cutoff_A(study))
    ]


def _frames_observable_mistakes(study: dict) -> list[str]:
    """What observables of frames find wrong with their options in view of the pool and the selections."""
    wanted = [n for n, r in registry("observables").items() if r.of == "frames" and n in study]
    if not wanted:
        return []
    runs = [run["name"] for run in pool_runs(study["pool"])]
    sizes, more = study["sizes"], study["more_seeds"]
    selections = [
        set_name(selector, size, seed)
        for selector in study["selectors"]
        for size in sizes
        for seed in study["seeds"] + (more["seeds"] if size in more["sizes"] else [])
    ]
    return [
        f"{name}.{mistake}"
        for name in wanted
        for mistake in registry("observables")[name].mistakes(study[name], runs, selections)
    ]


def _cutoff_A(study: dict) -> float:
    """Largest cutoff of a study's models."""
    return max(model.get("cutoff_A", 0.0) for model in study["models"].values())


def _composition_mistakes(study: dict, system: dict) -> list[str]:
    """Numbers of ions that make no whole formula units."""
    # a start from the pool has the composition of its frame
    numbers = {
        f"simulations.{name}.ions": settings["ions"]
        for name, settings in study["simulations"].items()
        if settings["start"] == "melt"
    }
    pool, mistakes = study["pool"], []
    if "ions" in pool:
        numbers = {"pool.ions": pool["ions"]} | numbers
    for key, ions in numbers.items():
        try:
            composition(system, ions)
        except ValueError as error:
            mistakes.append(f"{key}: {error}")
    return mistakes


def _density_mistakes(study: dict, system: dict) -> list[str]:
    """Densities of the pool's and the simulations' starts that are far from the system's."""
    fits, pool = system["reference"]["density"], study["pool"]
    # a ramp has two temperatures, a grid many: the fit changes by much less than a factor of 2
    temperature = next(iter(pool.get("temperature_K") or pool.get("temperatures_K") or [0]))
    places = {"pool": pool | {"temperature_K": temperature}}
    places |= {f"simulations.{name}": s for name, s in study["simulations"].items()}
    return [
        f"{key}.{mistake}"
        for key, place in places.items()
        if isinstance(density := place.get("density_g_cm3"), int | float)
        for mistake in density_mistakes(fits, place["temperature_K"], density)
    ]


def _potential_mistakes(study: dict, system: dict, system_path: Path) -> list[str]:
    """Potentials that the system does not have, and a start density that nothing tells."""
    pool, known = study["pool"], system["potentials"]
    has = f"has {', '.join(known)}" if known else "names no potentials"
    names = [(f"reference.{number}", name) for number, name in enumerate(study["reference"])]
    mistakes = []
    if "potential" in pool:
        names = [("pool.potential", pool["potential"]), *names]
    elif generator_needs_potential(pool):
        mistakes.append(
            f"pool.potential: {pool['generator']} needs a potential, and {system_path} {has}; add "
            "`potentials` there"
        )
    mistakes += [
        f"{key}: {known[name]['potential']} keeps no atoms apart, so no MD can run with it; it serves as "
        "the `baseline` of a model"
        for key, name in names
        if name in known and not registry("potentials")[known[name]["potential"]].whole
    ]
    names += [
        (f"models.{model}.baseline", settings["baseline"])
        for model, settings in study["models"].items()
        if "baseline" in settings
    ]
    mistakes += [
        f"{key}: {system_path} has no potential {name}, it {has}"
        for key, name in names
        if name not in known
    ]
    told = "density_g_cm3" in pool or system["reference"]["density"]
    if generator_needs_potential(pool) and pool.get("start") != "crystal" and not told:
        mistakes.append(
            f"pool.density_g_cm3: missing, and {system_path} has no fit in reference.density; give "
            "the density at which the pool's runs start, in g/cm^3"
        )
    return mistakes


def _selector_mistakes(study: dict, name: str, system: dict) -> list[str]:
    """Of a selector that looks at trained models: whose, what comes before there are any, and when.

    And what it finds wrong itself.
    """
    selectors, options = registry("selectors"), study["selectors"][name]
    of_models = {"models", "certificate"}
    record = selectors[options["selector"]]
    needs, mistakes = record.needs(options), record.mistakes(options, system, _cutoff_A(study))
    if not of_models & needs:
        return mistakes
    model = options.get("model")
    if model not in study["models"]:
        names = ", ".join(study["models"])
        mistakes.append(f"model: {model} is not among the study's models ({names})")
    elif "models" in needs and study["models"][model]["members"] < 2:
        mistakes.append(
            f"model: {model} has one member, and {options['selector']} looks at where members "
            f"disagree; set models.{model}.members to 2 or more"
        )
    if "certificate" in needs:
        mistakes += certificate_selector_mistakes(study, options | {"name": name})
    first = options.get("first")
    able = [k for k, r in selectors.items() if not of_models & r.needs(defaults_of(r.options))]
    if first not in able:
        mistakes.append(
            f"first: {first} cannot choose the first size, before there are models; choose from "
            f"{', '.join(sorted(able))}"
        )
    if len(study["sizes"]) < 2:
        mistakes.append(
            f"first: the only size, {study['sizes'][0]}, would all be chosen by {first}; give a "
            "second one in `sizes`"
        )
    return mistakes


def _more_seeds_mistakes(study: dict) -> list[str]:
    """Sizes and selectors that are not there, and seeds that are there already."""
    more = study["more_seeds"]
    mistakes = [
        f"more_seeds.{key}: {value} is not among the study's {key}"
        for key in ("sizes", "selectors")
        for value in more.get(key, [])
        if value not in study[key]
    ]
    return mistakes + [
        f"more_seeds.seeds: {seed} is among the study's seeds already"
        for seed in set(more["seeds"]) & set(study["seeds"])
    ]
