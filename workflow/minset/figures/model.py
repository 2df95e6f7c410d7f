"""Figures of the trained models."""

import numpy as np
import pandas as pd

from minset.figures.style import LINE_COLORS, legend_below, panels, run_label


def loss(system: dict, files: dict, tables: list):
    """Training and validation loss, and the force error, over epochs."""
    figure, (left, right) = panels(2)
    for k, (path, row) in enumerate(tables):
        history = pd.read_csv(path)
        color, label = LINE_COLORS[k % len(LINE_COLORS)], run_label(row)
        left.semilogy(history["epoch"], history["validation_loss"], color=color, label=label)
        left.semilogy(history["epoch"], history["train_loss"], color=color, lw=0.7, ls=":")
        force = history["validation_force_rmse_eV_A"]
        right.semilogy(history["epoch"], force, color=color)
        best = history["validation_loss"].idxmin()
        right.plot(history["epoch"][best], force[best], "o", ms=4, color=color)
    left.set(xlabel="epoch", ylabel="loss (dotted: training)")
    right.set(xlabel="epoch", ylabel=r"validation force RMSE / eV $\mathrm{\AA}^{-1}$")
    legend_below(figure, left.get_legend_handles_labels()[0])
    figure.suptitle(f"{system['name']}: training; circles mark the epoch that was kept")
    return figure


def parity(system: dict, files: dict, tables: list):
    """Predicted against labelled force components on the test set."""
    columns = min(4, len(tables))
    figure, axes = panels(columns, -(-len(tables) // columns))
    for axis, (path, row) in zip(axes, tables, strict=False):
        forces = pd.read_csv(path)
        limit = 1.05 * np.abs(forces[["label_eV_A", "model_eV_A"]]).to_numpy().max()
        for species, part in forces.groupby("species", sort=False):
            axis.plot(part["label_eV_A"], part["model_eV_A"], ".", ms=2, alpha=0.6, label=species)
        axis.plot([-limit, limit], [-limit, limit], color="k", lw=0.6)
        rmse = np.sqrt(np.mean((forces["model_eV_A"] - forces["label_eV_A"]) ** 2))
        axis.set(
            xlim=(-limit, limit),
            ylim=(-limit, limit),
            aspect="equal",
            xlabel=r"label / eV $\mathrm{\AA}^{-1}$",
            ylabel=r"model / eV $\mathrm{\AA}^{-1}$",
        )
        axis.set_title(f"{run_label(row)}\nRMSE {rmse:.3f} eV/$\\mathrm{{\\AA}}$", fontsize=7)
        axis.legend(markerscale=3, fontsize=6)
    for axis in axes[len(tables) :]:
        axis.set_axis_off()
    figure.suptitle(f"{system['name']}: forces on the test set")
    return figure
