"""Mistakes of a study's models in view of the frames that there will be."""

import contextlib

from minset.config.simulation_checks import cell_edge_A
from minset.system import density_fit_at, reference_density_g_cm3

COPIES = 2  # cells that a cutoff may span; copies of ions within it are right, and teach little


def model_mistakes(study: dict, system: dict) -> list[str]:
    """Batches larger than any training set, and cutoffs far beyond the pool's cells; with their keys."""
    edge_A, mistakes = _pool_edge_A(study["pool"], system), []
    for name, model in study["models"].items():
        batch, largest = model["training"].get("batch_size", 1), max(study["sizes"])
        if batch > largest:
            mistakes.append(
                f"models.{name}.training.batch_size: {batch} frames, and the largest training set has "
                f"{largest}; give at most {largest}"
            )
        cutoff = model.get("cutoff_A", 0.0)
        if edge_A is not None and cutoff > COPIES * edge_A:
            mistakes.append(
                f"models.{name}.cutoff_A: {cutoff:g} A, and the pool's cells are {edge_A:.1f} A wide: "
                f"an ion sees little but copies; give at most {COPIES * edge_A:.1f}, or raise pool.ions"
            )
    return mistakes


def _pool_edge_A(pool: dict, system: dict) -> float | None:
    """Edge of the cells in which the pool's runs start; None where nobody knows it yet."""
    if "ions" not in pool:
        return None
    density, fits = pool.get("density_g_cm3"), system["reference"]["density"]
    if density is None and fits:
        temperature = next(iter(pool.get("temperature_K") or pool.get("temperatures_K") or [0]))
        fit = density_fit_at(fits, temperature) or fits[0]
        inside = min(max(temperature, fit["min_K"]), fit["max_K"])
        density = float(reference_density_g_cm3(fit, inside))
    # numbers of ions that make no whole formula units are a mistake of their own
    with contextlib.suppress(ValueError):
        return cell_edge_A(system, pool["ions"], density) if density else None
    return None
