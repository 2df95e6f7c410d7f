"""Tables of a study: rows of many runs, and of the experiment, side by side."""

import pandas as pd

from minset.system import (
    reference_conductivity_S_cm,
    reference_density_g_cm3,
    reference_diffusion_1e9_m2_s,
)


def collected(paths: list[str], rows: list[dict]) -> pd.DataFrame:
    """Tables of several runs in one, each with the columns that say which run it is from.

    Parameters
    ----------
    paths
        CSV files; one without rows (a run that broke) adds nothing.
    rows
        For each file what identifies it, e.g. ``{"simulation": ..., "engine": ...}``.
    """
    tables = []
    for path, row in zip(paths, rows, strict=True):
        table = pd.read_csv(path).drop(columns=list(row), errors="ignore")
        for position, (key, value) in enumerate(row.items()):
            table.insert(position, key, value)
        tables.append(table)
    filled = [t for t in tables if len(t)]
    return pd.concat(filled, ignore_index=True) if filled else tables[0]


def experiment(quantity: str, system: dict, temperatures: dict[str, float]) -> pd.DataFrame:
    """Rows of the experimental fits at the temperatures of simulations, where they are valid.

    Parameters
    ----------
    quantity
        ``density``, ``diffusion`` or ``conductivity``.
    system
        Content of the system file.
    temperatures
        Temperature in K of each simulation.
    """
    reference = system["reference"]
    rows = []
    for simulation, T in temperatures.items():
        common = {"simulation": simulation, "engine": "experiment", "temperature_K": T}
        if quantity == "density":
            for fit in reference["density"]:
                value = float(reference_density_g_cm3(fit, T))
                error = value * fit.get("uncertainty_percent", 0) / 100
                rows.append(
                    common
                    | {"source": fit["name"], "density_g_cm3": value, "density_stderr_g_cm3": error}
                )
        elif quantity == "diffusion":
            for species, fit in reference.get("self_diffusion", {}).items():
                value = float(reference_diffusion_1e9_m2_s(fit, T))
                error = value * fit.get("uncertainty_percent", 0) / 100
                rows.append(
                    common
                    | {
                        "source": fit["source"].split(",")[0],
                        "species": species,
                        "diffusion_1e-9_m2_s": value,
                        "diffusion_stderr_1e-9_m2_s": error,
                    }
                )
        elif "ionic_conductivity" in reference:
            fit = reference["ionic_conductivity"]
            value = float(reference_conductivity_S_cm(fit, T))
            error = value * fit.get("uncertainty_percent", 0) / 100
            rows.append(
                common
                | {
                    "source": fit["source"].split(",")[0],
                    "conductivity_S_cm": value,
                    "conductivity_stderr_S_cm": error,
                }
            )
    table = pd.DataFrame(rows)
    return table.dropna() if len(table) else table
