"""Figures of the pool and of what was selected from it."""

import numpy as np
import pandas as pd

from minset.figures.style import COLORS, REFERENCE, nothing_to_show, panels
from minset.system import reference_density_g_cm3


def pool(system: dict, files: dict, tables: list):
    """Energy, density and temperature along the pool, with picks and test frames."""
    frames = pd.read_csv(files["pool"])
    split = pd.read_csv(files["split"])
    picks = pd.read_csv(files["selection"])
    figure, axes = panels(3)
    quantities = {
        "temperature_K": "temperature / K",
        "density_g_cm3": r"density / g cm$^{-3}$",
        "potential_energy_eV_atom": "energy / eV atom$^{-1}$",
    }
    marked = {
        name: (frames.set_index("frame").loc[rows["frame"].unique()], COLORS[k])
        for k, (name, rows) in enumerate(picks.groupby("selector", sort=False))
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
    """Novelty of each pick when it was picked."""
    picks = pd.read_csv(files["selection"])
    scored = picks.dropna(subset="score")
    figure, (axis,) = panels(1)
    if scored.empty:
        nothing_to_show(axis, "no selector of this study scores its picks")
        return figure
    for (selector, seed), rows in scored.groupby(["selector", "seed"], sort=False):
        axis.plot(rows["pick"] + 1, rows["score"], "o-", ms=3, label=f"{selector}, seed {seed}")
    axis.set(xlabel="pick", ylabel="novelty when picked", ylim=(0, None))
    axis.legend()
    axis.set_title(f"{system['name']}: novelty per pick")
    return figure
