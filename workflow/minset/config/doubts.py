"""Doubts: what is allowed and seldom meant. A line each at every start; nothing stops.

Mistakes, which stop, are found by the modules beside this one.
"""

import contextlib
import math
from pathlib import Path

from minset.config.registries import registry
from minset.system import (
    composition_in_words,
    density_fit_at,
    largest_deviation,
    reference_density_g_cm3,
)

_PRESSURE_ROOM_BAR = 10_000


def doubts(study: dict, systems: dict[str, dict]) -> list[str]:
    """Doubts about a study with all defaults filled in, one line each, beginning with the key."""
    lines = _range_doubts(study) + _published_doubts(study) + _batch_doubts(study)
    for name, system in systems.items():
        lines += _composition_doubts(study, name, system)
        lines += _time_step_doubts(study, name, system)
        lines += _density_doubts(study, name, system)
    return lines


def _published_doubts(study: dict) -> list[str]:
    """Labels that are to be taken from a folder that has none, and would be computed."""
    folder = study.get("published")
    if folder is None or any(Path(folder).rglob("labels.extxyz")):
        return []
    return [
        f"published: there is nothing in {folder}, so all is computed; publish it when it is done"
    ]


def _batch_doubts(study: dict) -> list[str]:
    """Batches larger than the smallest training set, all of which is then a step."""
    smallest = min(study["sizes"])
    return [
        f"models.{name}.training.batch_size: {batch} frames are all of the training set of size "
        f"{smallest}: one step an epoch"
        for name, model in study["models"].items()
        if (batch := model["training"].get("batch_size", 1)) > smallest
    ]


def _runs(pool: dict) -> list[dict]:
    """Runs of a pool; none where a generator looks at files that are not there, a mistake elsewhere."""
    with contextlib.suppress(OSError, ValueError):
        return registry("generators")[pool["generator"]].plan(pool)
    return []


def _places(study: dict) -> dict[str, dict]:
    """The pool and the simulations, by their keys."""
    simulations = {f"simulations.{name}": s for name, s in study["simulations"].items()}
    return {"pool": study["pool"]} | simulations


def _composition_doubts(study: dict, name: str, system: dict) -> list[str]:
    """Numbers of ions in which mole fractions are rounded by more than 0.01."""
    if len(system.get("composition", {})) < 2:
        return []
    return [
        f"{key}.ions: {name}: {composition_in_words(system, place['ions'])}; more ions come nearer"
        for key, place in _places(study).items()
        if "ions" in place and largest_deviation(system, place["ions"]) > 0.01
    ]


def _time_step_doubts(study: dict, name: str, system: dict) -> list[str]:
    """Time steps above sqrt(mass in u) fs: 1 fs for hydrogen, 2.6 for lithium, 6 for chlorine."""
    lightest = min(system["species"], key=lambda s: system["species"][s]["mass_u"])
    limit = math.sqrt(system["species"][lightest]["mass_u"])
    return [
        f"{key}.timestep_fs: {place['timestep_fs']:g} fs with {lightest} of {name}: "
        f"{math.floor(limit * 2) / 2:g} fs would resolve its vibrations"
        for key, place in _places(study).items()
        # 1 fs is the usual step for hydrogen, of 1.008 u
        if place.get("timestep_fs", 0) > limit * 1.001
    ]


def _density_doubts(study: dict, name: str, system: dict) -> list[str]:
    """A start of the pool more than 20 % off the fit at its temperature."""
    density, fits = study["pool"].get("density_g_cm3"), system["reference"]["density"]
    if density is None:
        return []
    lines = []
    for run in _runs(study["pool"]):
        temperature = run.get("temperature_K", [0])[0]
        if fit := density_fit_at(fits, temperature):
            usual = float(reference_density_g_cm3(fit, temperature))
            if abs(density / usual - 1) > 0.2:
                lines.append(
                    f"pool.density_g_cm3: {density:g} g/cm^3, and {fit['name']} has {usual:.3g} for "
                    f"{name} at {temperature:g} K; frames at the start may be far from the liquid's"
                )
    return lines[:1]


def _range_doubts(study: dict) -> list[str]:
    """Simulations at temperatures or pressures that the pool's runs do not cover."""
    runs = _runs(study["pool"])
    temperatures = [t for run in runs for t in run.get("temperature_K", [])]
    pressures = sorted({run["pressure_bar"] for run in runs if "pressure_bar" in run})
    lines = []
    for name, simulation in study["simulations"].items():
        temperature = simulation["temperature_K"]
        if temperatures and not min(temperatures) <= temperature <= max(temperatures):
            lines.append(
                f"simulations.{name}.temperature_K: {temperature:g} K, and the pool's frames are from "
                f"{min(temperatures):g} to {max(temperatures):g} K: models know nothing beyond"
            )
        if simulation["ensemble"] == "npt" and pressures:
            pressure = simulation["pressure_bar"]
            if min(abs(pressure - p) for p in pressures) > _PRESSURE_ROOM_BAR:
                lines.append(
                    f"simulations.{name}.pressure_bar: {pressure:g} bar, and the pool's frames are at "
                    f"{', '.join(f'{p:g}' for p in pressures)} bar"
                )
    return lines
