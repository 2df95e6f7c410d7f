"""Figures of the pool and of what was selected from it."""

import numpy as np
import pandas as pd

from minset.figures.style import REFERENCE, nothing_to_show, panels, selector_styles
from minset.system import reference_density_g_cm3


def pool(system: dict, files: dict, tables: list):
    """Energy, density and temperature along the pool, with picks and test frames."""
    frames = pd.read_csv(files["pool"])
    split = pd.read_csv(files["split"])
    picks = pd.read_csv(files["selection"])
    picks = picks[picks["seed"] == picks["seed"].min()]
    figure, axes = panels(3)
    styles = selector_styles(picks["selector"])
    quantities = {
        "temperature_K": "temperature / K",
        "density_g_cm3": r"density / g cm$^{-3}$",
        "potential_energy_eV_atom": "energy / eV atom$^{-1}$",
    }
    marked = {
        name: (frames.set_index("frame").loc[rows["frame"]], styles[name][0])
        for name, rows in picks.groupby("selector", sort=False)
    }
    test = split.loc[split["role"] == "test", "frame"]
    marked["test"] = (frames.set_index("frame").loc[test], REFERENCE)
    for axis, (column, label) in zip(axes, quantities.items(), strict=True):
        axis.plot(frames["time_ps"], frames[column], ".", ms=2, color="#BBBBBB", label="pool")
        for name, (rows, color) in marked.items():
            marker = "x" if name == "test" else "o"
            axis.plot(
                rows["time_ps"], rows[column], marker, ms=4, color=color, mfc="none", label=name
            )
        axis.set(xlabel="time / ps", ylabel=label)
    smooth = np.asarray(frames["temperature_K"].rolling(20).mean())
    lines = [
        axes[1].plot(
            frames["time_ps"],
            reference_density_g_cm3(fit, smooth),
            lw=1,
            label=f"experiment at 1 bar ({fit['name']})",
        )[0]
        for fit in system["reference"]["density"]
    ]
    axes[0].legend(fontsize=6)
    axes[1].legend(handles=lines, fontsize=6)
    figure.suptitle(f"{system['name']}: pool of {len(frames)} frames")
    return figure


def novelty(system: dict, files: dict, tables: list):
    """Score of each pick when it was picked, a panel per selector that gives one, a line per seed."""
    scored = pd.read_csv(files["selection"]).dropna(subset="score")
    selectors = list(scored.groupby("selector", sort=False))
    columns = min(3, max(1, len(selectors)))
    figure, axes = panels(columns, max(1, -(-len(selectors) // columns)))
    if not selectors:
        nothing_to_show(axes[0], "no selector of this study scores its picks")
        return figure
    for axis, (selector, of_selector) in zip(axes, selectors, strict=False):
        for seed, rows in of_selector.groupby("seed"):
            axis.plot(rows["pick"] + 1, rows["score"], "o-", ms=2, lw=0.8, label=f"seed {seed}")
        axis.set(xlabel="pick", ylabel="score when picked", ylim=(0, None), title=selector)
    for axis in axes[len(selectors) :]:
        axis.set_axis_off()
    axes[0].legend(fontsize=6)
    figure.suptitle(f"{system['name']}: novelty per pick")
    return figure
