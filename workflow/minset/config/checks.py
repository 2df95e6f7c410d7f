"""What a schema cannot see: mistakes of a system file, and of a study in view of a system."""

import math
import shlex
from pathlib import Path

from ase.data import atomic_numbers

from minset.config.schema import schema
from minset.label import LABELERS
from minset.pool import pool_runs
from minset.potential import POTENTIALS
from minset.select import SELECTORS
from minset.system import (
    composition,
    density_fit_at,
    ions_per_formula,
    mass_of,
    reference_density_g_cm3,
)
from minset.units import volume_A3


def cell_edge_A(system: dict, ions: int, density: float) -> float:
    """Edge of the cube that holds ``ions`` ions at a density in g/cm^3."""
    return volume_A3(mass_of(system, composition(system, ions)), density) ** (1 / 3)


def simulation_density(system: dict, simulation: dict) -> float:
    """Density in g/cm^3 at which a simulation starts."""
    if simulation["density_g_cm3"] != "experiment":
        return simulation["density_g_cm3"]
    fit = density_fit_at(system["reference"]["density"], simulation["temperature_K"])
    return float(reference_density_g_cm3(fit, simulation["temperature_K"]))


def held_out_runs(study: dict) -> list[str]:
    """Names of the pool's runs that serve the test set alone."""
    temperatures = study["test"].get("temperatures_K", [])
    return [r["name"] for r in pool_runs(study["pool"]) if r["temperature_K"][0] in temperatures]


def system_mistakes(system: dict) -> list[str]:
    """Mistakes within one system file that a schema cannot see."""
    unknown = [s for s in system["species"] if not atomic_numbers.get(s)]
    mistakes = [f"species.{s}: there is no such element" for s in unknown]
    value = system["potential"]
    record = POTENTIALS[value["potential"]]
    mistakes += [f"potential.{m}" for m in record.mistakes(value, list(system["species"]))]
    charge = sum(s["charge"] * s["count"] for s in system["species"].values())
    if abs(charge) > 1e-9:
        mistakes.append(f"species: one formula unit has a charge of {charge:+g} e, it must be 0")
    for number, fit in enumerate(system["reference"]["density"]):
        where = f"reference.density.{number}"
        if fit["min_K"] > fit["max_K"]:
            mistakes.append(f"{where}: min_K is above max_K")
        for limit in ("min_K", "max_K"):
            density = fit["a_g_cm3"] - fit["b_g_cm3_K"] * fit[limit]
            if density <= 0:
                mistakes.append(f"{where}: {density:g} g/cm^3 at {limit}, it must be positive")
    return mistakes


def study_mistakes(study: dict, system: dict, system_path: Path) -> list[str]:
    """Mistakes of a study in view of one of its systems."""
    mistakes = []
    for key, ions in [("pool.ions", study["pool"]["ions"])] + [
        (f"simulations.{n}.ions", s["ions"]) for n, s in study["simulations"].items()
    ]:
        try:
            composition(system, ions)
        except ValueError as error:
            mistakes.append(f"{key}: {error}")
    pool = study["pool"]
    if keys := _pool_keys_mistakes(pool):
        mistakes += keys
    else:
        mistakes += _pool_size_mistakes(study)
    for name, options in study["selectors"].items():
        kind = options.get("selector", name)
        if kind not in SELECTORS:
            mistakes.append(
                f"selectors.{name}: no selector of that name; choose from "
                f"{', '.join(sorted(SELECTORS))}, or name one with `selector:`"
            )
        place = ("properties", "selectors", "additionalProperties")
        mistakes += _foreign_keys(f"selectors.{name}", kind, options, *place)
    for key in ("sizes", "selectors"):
        for value in study["more_seeds"].get(key, []):
            if value not in study[key]:
                mistakes.append(f"more_seeds.{key}: {value} is not among the study's {key}")
    for seed in set(study["more_seeds"]["seeds"]) & set(study["seeds"]):
        mistakes.append(f"more_seeds.seeds: {seed} is among the study's seeds already")
    labeler = LABELERS[study["labels"]["labeler"]]
    for key in study["labels"]["settings"]:
        if key not in labeler.study_settings:
            mistakes.append(
                f"labels.settings.{key}: the labeler {labeler.name} has no such setting; it takes "
                f"{', '.join(sorted(labeler.study_settings))}"
            )
    try:
        shlex.split(study["labels"]["settings"].get("command", ""))
    except ValueError as error:
        mistakes.append(f"labels.settings.command: {error}")
    if study["labels"]["labeler"] == "cp2k":
        kinds = system.get("cp2k", {}).get("kinds", {})
        for species in system["species"]:
            if species not in kinds:
                mistakes.append(f"labels.labeler: cp2k needs cp2k.kinds.{species} in {system_path}")
    for name, simulation in study["simulations"].items():
        mistakes += [
            f"simulations.{name}.{m}" for m in _simulation_mistakes(study, system, simulation)
        ]
    return mistakes


def _foreign_keys(where: str, kind: str, given: dict, *place: str) -> list[str]:
    """Keys that are `only` for other kinds, in the study's schema below ``place``."""
    node = schema("study")
    for key in place:
        node = node[key]
    return [
        f"{where}.{key}: a key of {' and '.join(only)}, not of {kind}"
        for key, content in node["properties"].items()
        if (only := content.get("only")) and kind not in only and key in given
    ]


def _pool_keys_mistakes(pool: dict) -> list[str]:
    """Keys of another generator than the pool's, and keys that the generator lacks."""
    generator, place = pool["generator"], ("$defs", "pool")
    mistakes = _foreign_keys("pool", generator, pool, *place)
    keys = schema("study")["$defs"]["pool"]["properties"]
    missing = [k for k, c in keys.items() if generator in c.get("only", []) and k not in pool]
    if missing:
        mistakes.append(f"pool: missing key {', '.join(missing)}; {generator} needs it")
    return mistakes


def _pool_size_mistakes(study: dict) -> list[str]:
    """Frames that do not fit the duration of a run, and sizes that the pool cannot serve."""
    pool, mistakes = study["pool"], []
    frames, runs = pool["frames"], len(pool_runs(pool))
    steps = pool["duration_ps"] * 1000 / pool["timestep_fs"] / frames
    if steps < 1:
        mistakes.append(
            f"pool.frames: {frames} frames in {pool['duration_ps']:g} ps are closer than one time "
            f"step; lengthen pool.duration_ps"
        )
    elif abs(steps - round(steps)) > 1e-6:
        whole_ps = math.ceil(steps) * frames * pool["timestep_fs"] / 1000
        mistakes.append(
            f"pool.frames: {frames} frames in {pool['duration_ps']:g} ps are {steps:.2f} time steps "
            f"apart, which must be a whole number; {whole_ps:g} ps would do"
        )
    set_apart = len(held_out_runs(study))
    for temperature in study["test"].get("temperatures_K", []):
        if temperature not in pool.get("temperatures_K", []):
            mistakes.append(
                f"test.temperatures_K: {temperature:g} K is not among pool.temperatures_K, whose runs "
                "serve the test alone when named here"
            )
    free = (runs - set_apart) * frames - study["validation"]["frames"]
    if not set_apart:
        free -= study["test"]["frames"]
    each = f" of {runs - set_apart} runs" if runs > 1 else ""
    for size in study["sizes"]:
        if size > free:
            mistakes.append(
                f"sizes: {size} frames cannot be selected from {free} (pool.frames{each} less test "
                f"and validation); raise pool.frames"
            )
    return mistakes


def _simulation_mistakes(study: dict, system: dict, simulation: dict) -> list[str]:
    mistakes = []
    temperature = simulation["temperature_K"]
    if (
        simulation["density_g_cm3"] == "experiment"
        and density_fit_at(system["reference"]["density"], temperature) is None
    ):
        ranges = ", ".join(
            f"{f['name']} {f['min_K']:g}-{f['max_K']:g} K" for f in system["reference"]["density"]
        )
        mistakes.append(
            f"temperature_K: {temperature:g} K is outside every density fit of {system['name']} "
            f"({ranges}); change it or give density_g_cm3 as a number"
        )
    elif simulation["ensemble"] != "npt" and simulation["ions"] % ions_per_formula(system) == 0:
        edge = cell_edge_A(system, simulation["ions"], simulation_density(system, simulation))
        if study["rdf"]["range_A"] > edge / 2:
            mistakes.append(
                f"ions: {simulation['ions']} ions make a cell of {edge:.2f} A, and rdf.range_A of "
                f"{study['rdf']['range_A']:g} A is more than half of it; use more ions or a range of "
                f"at most {edge / 2:.2f} A"
            )
    lags_ps = 10 * study["transport"]["start_ps"]
    transport = {"transport", "mdsuite"} & set(simulation["observables"])
    if simulation["ensemble"] != "npt" and transport and simulation["duration_ps"] < lags_ps:
        mistakes.append(
            f"duration_ps: {simulation['duration_ps']:g} ps is less than ten times "
            f"transport.start_ps; run at least {lags_ps:g} ps"
        )
    for key in ("sizes", "selectors", "seeds", "models"):
        known = [*study[key], *(study["more_seeds"]["seeds"] if key == "seeds" else [])]
        for value in simulation.get(key, []):
            if value not in known:
                names = ", ".join(map(str, known))
                mistakes.append(f"{key}: {value} is not among the study's {key} ({names})")
    return mistakes
