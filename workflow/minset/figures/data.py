"""Figures of the pool and of what was selected from it."""

import numpy as np
import pandas as pd

from minset.figures.style import REFERENCE, legend_below, nothing_to_show, panels, selector_styles
from minset.system import reference_density_g_cm3

_AGAINST = {
    "temperature_K": "temperature / K",
    "potential_energy_eV_atom": "energy / eV per atom",
}


def picked_from_pool(selection) -> pd.DataFrame:
    """Rows of a study's table of selections whose frames are the pool's, not of models' own runs."""
    picks = pd.read_csv(selection)
    if "origin" not in picks:
        return picks
    return picks[picks["origin"].astype(str).str.endswith("/pool.h5")]


def pool(system: dict, files: dict, tables: list):
    """Density against temperature: pool and test frames, then the picks of each selector.

    Frames of files that tell no temperature are shown by their energy, or by their number.
    """
    frames = pd.read_csv(files["pool"]).set_index("frame")
    roles = pd.read_csv(files["split"]).set_index("frame")["role"]
    picks = picked_from_pool(files["selection"])
    picks = picks[picks["seed"] == picks["seed"].min()]
    shown = {"test set": (roles.index[roles == "test"], REFERENCE)}
    styles = selector_styles(picks["selector"])
    for name, rows in picks.groupby("selector", sort=False):
        shown[name] = (rows["frame"], styles[name][0])
    columns = min(len(shown), 4)
    figure, axes = panels(columns, -(-len(shown) // columns))
    against = next((q for q in _AGAINST if frames[q].notna().any()), "frame")
    frames["frame"] = frames.index
    quantities = [against, "density_g_cm3"]
    for axis, (name, (chosen, color)) in zip(axes, shown.items(), strict=False):
        axis.plot(*frames[quantities].to_numpy().T, ".", ms=2, color="#CCCCCC", zorder=0)
        axis.plot(*frames.loc[chosen, quantities].to_numpy().T, ".", ms=4, color=color)
        fits = system["density"] if against == "temperature_K" else []
        for fit, line in zip(fits, ("-", "--", ":"), strict=False):
            T = np.linspace(fit["min_K"], fit["max_K"], 20)
            label = f"experiment at 1 bar ({fit['name']})"
            axis.plot(T, reference_density_g_cm3(fit, T), line, color="black", label=label)
        axis.set(xlabel=_AGAINST.get(against, "number"), ylabel=r"density / g cm$^{-3}$")
        axis.set_title(f"{name}: {len(chosen)} frames")
    for axis in axes[len(shown) :]:
        axis.set_axis_off()
    legend_below(figure, axes[0].get_legend_handles_labels()[0])
    figure.suptitle(
        f"{system['name']}: pool of {len(frames)} frames (grey) and what is taken from it"
    )
    return figure


def novelty(system: dict, files: dict, tables: list):
    """Novelty of each pick when it was picked, a panel per selector that has one, a line per seed.

    Scores of selectors that aim at a ``target`` are energies or forces, no novelties.
    """
    scored = pd.read_csv(files["selection"]).dropna(subset="score")
    if "target" in scored:
        scored = scored[scored["target"].isna()]
    selectors = list(scored.groupby("selector", sort=False))
    columns = min(3, max(1, len(selectors)))
    figure, axes = panels(columns, max(1, -(-len(selectors) // columns)))
    if not selectors:
        nothing_to_show(axes[0], "no selector of this study scores its picks")
        return figure
    for axis, (selector, of_selector) in zip(axes, selectors, strict=False):
        for seed, rows in of_selector.groupby("seed"):
            axis.plot(rows["pick"] + 1, rows["score"], "o-", ms=2, lw=0.8, label=f"seed {seed}")
        lowest = min(0.0, of_selector["score"].min())
        axis.set(xlabel="pick", ylabel="score when picked", ylim=(lowest, None), title=selector)
    for axis in axes[len(selectors) :]:
        axis.set_axis_off()
    axes[0].legend(fontsize=6)
    figure.suptitle(f"{system['name']}: novelty per pick")
    return figure
